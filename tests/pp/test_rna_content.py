from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpvade
from hpvade._errors import FileFormatError, LabelError
from hpvade.pp import (
    apply_rna_content,
    cell_fractions,
    consensus_rna_content,
    preprocess,
    read_rna_content,
    reference_signature,
    rna_fractions,
)

CONTENT = {"B": 1.0, "Monocyte": 4.0, "T": 2.0}


def test_hand_worked():
    # Half and half, but a monocyte holds three times the RNA.
    np.testing.assert_allclose(rna_fractions(np.array([0.5, 0.5]), np.array([1.0, 3.0])), [0.25, 0.75])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.floats(0.1, 10))
def test_round_trip(raw, scale):
    p = np.array(raw) / sum(raw)
    m = scale * np.arange(1, len(p) + 1)
    r = rna_fractions(p, m)
    np.testing.assert_allclose(r.sum(), 1)
    np.testing.assert_allclose(cell_fractions(r, m), p)


def test_consensus_of_one_reference_is_its_own():
    m = np.array([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(consensus_rna_content(m), m[0])


def test_depth_of_a_reference_does_not_matter_to_the_pattern():
    m = np.array([1.0, 2.0, 5.0])
    consensus = consensus_rna_content(np.stack([m, 10 * m]))
    np.testing.assert_allclose(consensus / consensus[0], m)


def test_consensus_is_as_strong_as_the_clearest_reference():
    # Log m = ±1 in one reference, ±3 in the other: the mean pattern ±2 is stretched to ±3.
    m = np.exp(np.array([[-1.0, 1.0], [-3.0, 3.0]]))
    np.testing.assert_allclose(np.log(consensus_rna_content(m)), [-3.0, 3.0])


def test_references_that_contradict_each_other_give_equal_content():
    m = np.array([[1.0, 4.0], [4.0, 1.0]])
    np.testing.assert_allclose(consensus_rna_content(m), [2.0, 2.0])


def test_weak_patterns_are_not_inflated():
    m = np.array([[1.0, 4.0], [3.9, 1.0]])
    consensus = consensus_rna_content(m)
    assert 1.0 < consensus[1] / consensus[0] < 1.1


def test_consensus_where_a_reference_lacks_a_type():
    m = np.array([[1.0, 2.0, 8.0], [10.0, 20.0, np.nan]])
    consensus = consensus_rna_content(m)
    np.testing.assert_allclose(consensus / consensus[0], [1.0, 2.0, 8.0])


def test_given_content_replaces_the_measured_one(reference):
    apply_rna_content(reference, CONTENT, labels_key="cell_type")
    content = reference_signature(preprocess(reference)).model_genes.rna_content_all
    np.testing.assert_allclose(content / content[0], [1.0, 4.0, 2.0], rtol=1e-6)


def test_profiles_do_not_change(reference):
    before = reference_signature(preprocess(reference)).model_genes
    apply_rna_content(reference, CONTENT, labels_key="cell_type")
    after = reference_signature(preprocess(reference)).model_genes
    np.testing.assert_allclose(after.cpm, before.cpm, rtol=1e-6)


def test_mixtures_follow_the_given_content(reference):
    apply_rna_content(reference, CONTENT, labels_key="cell_type")
    prepared = preprocess(reference)
    config = hpvade.simulate.SimulateConfig(n_heldout=50, n_cells=2000, platform_width=0)
    mixtures = hpvade.simulate.simulate(prepared, config=config, effects=False, split="heldout")
    signature = reference_signature(prepared).model_genes
    expected = (
        hpvade.pp.rna_fractions(mixtures.obsm["fractions"].to_numpy(), signature.rna_content)
        @ signature.cpm.T
    )
    assert np.corrcoef(mixtures.X.ravel(), expected.ravel())[0, 1] > 0.99


def test_every_type_needs_a_positive_content(reference):
    with pytest.raises(LabelError, match="'T' has no RNA content"):
        hpvade.HPVADE.setup_anndata(reference, rna_content={"B": 1.0, "Monocyte": 1.0})
    with pytest.raises(LabelError, match=r"'B' has the RNA content -1\.0"):
        apply_rna_content(reference, CONTENT | {"B": -1.0}, labels_key="cell_type")


def test_the_table_is_read_and_its_problems_are_named(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_text("cell_type\trna_content\nB\t1\nT\t2.5\n")
    assert read_rna_content(path) == {"B": 1.0, "T": 2.5}
    for text, problem in (
        ("cell_type\tm\nB\t1\n", "column 'rna_content' is missing"),
        ("cell_type\trna_content\nB\t1\nB\t2\n", "'B' is listed more than once"),
        ("cell_type\trna_content\nB\tmuch\n", "much"),
    ):
        path.write_text(text)
        with pytest.raises(FileFormatError, match=problem):
            read_rna_content(path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_rna_content(tmp_path / "none.tsv")


def test_given_content_of_several_references():
    one = hpvade.testing.tiny_reference(n_cells=20)
    deep = hpvade.testing.tiny_reference(n_cells=60, seed=4)
    deep.layers["counts"] = deep.layers["counts"] * 10
    both = hpvade.pp.combine_references({"one": one, "deep": deep}, labels_key="cell_type", donor_key=None)
    apply_rna_content(both, CONTENT, labels_key="cell_type")
    content = reference_signature(preprocess(both)).model_genes.rna_content_all
    np.testing.assert_allclose(content / content[0], [1.0, 4.0, 2.0], rtol=1e-6)
    totals = np.asarray(both.layers["counts"].sum(1)).ravel() * both.obs["hpvade_rna_weight"]
    means = totals.groupby([both.obs["cell_type"], both.obs["hpvade_reference"]]).mean().unstack()
    np.testing.assert_allclose(means["one"], means["deep"])


def test_setting_up_again_without_a_content_measures_it(reference):
    hpvade.HPVADE.setup_anndata(reference, rna_content=CONTENT)
    hpvade.HPVADE.setup_anndata(reference)
    assert "hpvade_rna_weight" not in reference.obs
