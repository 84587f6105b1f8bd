from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import GeneOverlapError, LabelError
from hpvade.pp import PreprocessConfig, model_genes, preprocess, split_cells

TYPES = np.repeat(["A", "B", "C"], [100, 50, 10])


def test_every_cell_sums_to_ten_thousand_and_counts_are_untouched(reference):
    before = reference.layers["counts"].copy()
    prepared = preprocess(reference)
    np.testing.assert_allclose(np.expm1(prepared.X.toarray().astype(float)).sum(1), 1e4, rtol=1e-4)
    assert (reference.layers["counts"] != before).nnz == 0
    stored = prepared[:, reference.var_names].layers["counts"]
    assert (stored != before).nnz == 0


def test_order_of_genes_in_the_file_does_not_matter(reference):
    shuffled = reference[:, np.random.default_rng(0).permutation(reference.n_vars)].copy()
    one, other = preprocess(reference), preprocess(shuffled)
    assert list(one.var_names) == list(other.var_names)
    assert (one.var["selected"] == other.var["selected"]).all()
    assert (one.obs["split"] == other.obs["split"]).all()


def test_only_allowed_genes_are_selected(reference):
    allowed = set(reference.var_names[:80])
    prepared = preprocess(reference, genes=allowed)
    assert set(prepared.var_names[prepared.var["selected"]]) <= allowed
    assert prepared.n_vars == reference.n_vars


def test_markers_of_every_type_are_selected(reference):
    prepared = preprocess(reference, config=PreprocessConfig(n_genes=0, n_markers=5))
    chosen = set(prepared.var_names[prepared.var["selected"]])
    for k in range(3):  # the builder gives type k the genes k, k+4, k+8, …
        assert len(chosen & {f"GENE{i}" for i in range(k, 150, 4)}) >= 4


def test_trust_falls_with_the_rank_of_a_marker(reference):
    prepared = preprocess(reference, config=PreprocessConfig(n_markers=5))
    trust = np.sort(prepared.var["trust"][prepared.var["selected"]])
    assert len(trust) <= 15
    assert trust[-1] == 1.0
    steps = np.exp(-4 * np.arange(5) / 5)
    assert np.isclose(trust[:, None], steps).any(1).all()
    assert (prepared.var["trust"][~prepared.var["selected"]] == 0).all()


def test_without_markers_all_chosen_genes_are_trusted_alike(reference):
    prepared = preprocess(reference, config=PreprocessConfig(n_genes=50, n_markers=0))
    assert set(prepared.var["trust"]) == {0.0, 1.0}
    assert prepared.var["selected"].sum() == 50


def test_marker_of_one_reference_only_is_not_chosen():
    one = hpvade.testing.tiny_reference(n_cells=60)
    other = hpvade.testing.tiny_reference(n_cells=60, seed=5)
    counts = one.layers["counts"].tolil()
    counts[(one.obs["cell_type"] == "T").to_numpy(), 3] = 200  # GENE3 is no marker in the other reference
    one.layers["counts"] = counts.tocsr()
    config = PreprocessConfig(n_markers=5)
    assert preprocess(one, config=config).var["trust"]["GENE3"] == 1.0
    both = hpvade.pp.combine_references({"one": one, "other": other}, labels_key="cell_type", donor_key=None)
    assert preprocess(both, config=config).var["trust"]["GENE3"] == 0.0


def test_type_with_one_cell_in_each_reference_gets_no_markers_by_chance():
    cells = hpvade.testing.tiny_reference(n_cells=60)
    parts = {}
    for i in range(3):
        chosen = np.r_[i * 20 : i * 20 + 20, 60 + i * 20 : 80 + i * 20, 120 + i]  # one T cell in each
        parts[f"part{i}"] = cells[chosen].copy()
    both = hpvade.pp.combine_references(parts, labels_key="cell_type", donor_key=None)
    trust = preprocess(both, config=PreprocessConfig(n_markers=5)).var["trust"]
    assert (trust > 0).sum() <= 10


def test_ribosomal_and_mitochondrial_genes_are_left_out(reference):
    names = reference.var_names.to_list()
    names[:3] = ["RPL3", "MT-CO1", "RPS6KA1"]
    reference.var_names = names
    prepared = preprocess(reference)
    assert prepared.var["selected"][["RPL3", "MT-CO1", "RPS6KA1"]].tolist() == [False, False, True]


def test_ribosomal_genes_are_known_by_their_symbol_when_names_are_ids(reference):
    reference.var["feature_name"] = ["RPL3", *reference.var_names[1:]]
    assert not preprocess(reference).var["selected"]["GENE0"]


def test_too_few_genes(reference):
    with pytest.raises(GeneOverlapError, match=r"Only 3 of .* at least 10 are needed"):
        preprocess(reference, genes=set(reference.var_names[:3]))


def test_no_such_label_column(reference):
    with pytest.raises(LabelError, match=r"labels_key='celltype' is not in reference\.obs"):
        preprocess(reference, labels_key="celltype")


def test_unprepared_reference_is_refused():
    with pytest.raises(LabelError, match="not prepared"):
        model_genes(hpvade.testing.tiny_reference())


def test_columns_of_the_user_named_source_or_reference_mean_nothing(reference):
    plain = preprocess(reference)
    reference.obs["source"] = reference.obs["reference"] = reference.obs["donor"]
    assert (preprocess(reference).obs["split"] == plain.obs["split"]).all()


def heldout_cells(split, types=TYPES):
    return {t: int((split[types == t] == "heldout").sum()) for t in np.unique(types)}


def test_the_split_is_stratified_by_type():
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0))
    assert heldout_cells(split) == {"A": 20, "B": 10, "C": 2}


def test_whole_donors_are_held_out():
    donor = np.tile(["d1", "d2", "d3", "d4", "d5"], 32)
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    sides = {d: set(split[donor == d]) for d in np.unique(donor)}
    assert all(len(side) == 1 for side in sides.values())
    assert sum(side == {"heldout"} for side in sides.values()) == 1


def test_type_of_one_donor_only_is_split_by_cells():
    donor = np.where(TYPES == "C", "only", np.where(np.arange(160) % 5 == 0, "d1", "d2"))
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    assert 0 < heldout_cells(split)["C"] < 10


def test_one_donor_is_the_same_as_none():
    donor = np.full(160, "one")
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    assert heldout_cells(split) == {"A": 20, "B": 10, "C": 2}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_every_type_is_on_both_sides(share):
    split = split_cells(TYPES, heldout=share, rng=np.random.default_rng(1))
    assert all(0 < n < (t == TYPES).sum() for t, n in heldout_cells(split).items())
