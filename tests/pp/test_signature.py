from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import hpvade
from hpvade._errors import LabelError
from hpvade.pp import (
    preprocess,
    reference_signature,
    restrict_to_genes,
    rna_fractions,
    signature,
    sum_by_group,
)

# Two cells of A (4 and 16 counts), one of B: 3 genes × 2 types, worked by hand.
COUNTS = np.array([[1, 3, 0], [10, 0, 6], [0, 5, 5]], dtype=np.float32)
LABELS = ["A", "A", "B"]


def test_hand_worked_signature():
    result = signature(sp.csr_matrix(COUNTS), LABELS, genes=["g1", "g2", "g3"])
    assert result.cell_types == ("A", "B")
    np.testing.assert_allclose(result.cpm, np.array([[11, 0], [3, 10], [6, 10]]) / 20 * 1e6)
    np.testing.assert_allclose(result.cpm.sum(0), 1e6)
    np.testing.assert_allclose(result.rna_content, [10, 10])


def test_mean_of_per_cell_cpm_differs():
    per_cell = COUNTS / COUNTS.sum(1, keepdims=True) * 1e6
    wrong = np.stack([per_cell[:2].mean(0), per_cell[2]], 1)
    right = signature(sp.csr_matrix(COUNTS), LABELS, genes=["g1", "g2", "g3"]).cpm
    assert np.abs(wrong - right).max() > 1e5


def test_type_without_counts_is_named():
    counts = sp.csr_matrix(np.array([[1, 2], [0, 0]], dtype=np.float32))
    with pytest.raises(LabelError, match="'Empty'"):
        signature(counts, ["Full", "Empty"], genes=["a", "b"])


@pytest.mark.parametrize("block_size", [1, 2, 3, 100])
def test_block_size_changes_nothing(block_size):
    rng = np.random.default_rng(0)
    counts = sp.csr_matrix(rng.poisson(1, (50, 7)).astype(np.float32))
    groups = rng.integers(-1, 4, 50)
    expected = np.stack([counts.toarray()[groups == k].sum(0) for k in range(4)])
    np.testing.assert_array_equal(sum_by_group(counts, groups, n_groups=4, block_size=block_size), expected)


def test_mixing_holds_within_a_subset_of_genes():
    rng = np.random.default_rng(0)
    cell = rng.uniform(1, 9, (8, 3))  # counts of one cell of each type
    p, genes = np.array([0.5, 0.3, 0.2]), np.arange(8) < 5
    part, content = restrict_to_genes(cell / cell.sum(0) * 1e6, cell.sum(0), genes=genes)
    np.testing.assert_allclose(content, cell[genes].sum(0))
    expected = cell[genes] @ p
    np.testing.assert_allclose(part @ rna_fractions(p, content), expected / expected.sum() * 1e6)


def test_rna_content_is_measured_before_gene_selection(reference):
    prepared = preprocess(reference, genes=set(reference.var_names[:60]))
    totals = np.asarray(reference.layers["counts"].sum(1)).ravel()
    signature = reference_signature(prepared).model_genes
    expected = [totals[(reference.obs["cell_type"] == t).to_numpy()].mean() for t in signature.cell_types]
    np.testing.assert_allclose(signature.rna_content_all, expected)
    assert (signature.rna_content < signature.rna_content_all).all()


def test_every_reference_has_the_same_weight():
    small = hpvade.testing.tiny_reference(n_cells=20)
    large = hpvade.testing.tiny_reference(n_cells=200, seed=3)
    both = hpvade.pp.combine_references(
        {"small": small, "large": large}, labels_key="cell_type", donor_key=None
    )
    found = reference_signature(preprocess(both)).model_genes
    genes = list(found.genes)
    expected = []
    for cell_type in found.cell_types:
        profiles = []
        for name in ("small", "large"):
            cells = both[(both.obs["cell_type"] == cell_type) & (both.obs["hpvade_reference"] == name), genes]
            profile = np.asarray(cells.layers["counts"].mean(0)).ravel()
            profiles.append(profile * cells.obs["hpvade_rna_weight"].iloc[0])
        expected.append(np.mean(profiles, 0))
    expected = np.array(expected)
    np.testing.assert_allclose(found.rna_content, expected.sum(1), rtol=1e-5)
    np.testing.assert_allclose(found.cpm.T, expected / expected.sum(1, keepdims=True) * 1e6, rtol=1e-5)


def test_content_sd_falls_with_the_number_of_references(reference):
    other = hpvade.testing.tiny_reference(seed=5)
    references = {"one": reference, "two": other, "three": other.copy(), "four": other.copy()}
    combined = hpvade.pp.combine_references(references, labels_key="cell_type", donor_key=None)
    alone, together = (reference_signature(preprocess(cells)) for cells in (reference, combined))
    assert (alone.n_references, together.n_references) == (1, 4)
    assert together.content_sd == pytest.approx(alone.content_sd / 2)
