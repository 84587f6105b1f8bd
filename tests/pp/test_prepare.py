from __future__ import annotations

import numpy as np
import pytest

from hpvade._errors import GeneOverlapError, LabelError
from hpvade.pp import preprocess, split_cells

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


def test_too_few_genes_is_an_error(reference):
    with pytest.raises(GeneOverlapError, match=r"Only 3 of .* at least 10 are needed"):
        preprocess(reference, genes=set(reference.var_names[:3]))


def test_no_such_label_column(reference):
    with pytest.raises(LabelError, match=r"labels_key='celltype' is not in reference\.obs"):
        preprocess(reference, labels_key="celltype")


def test_user_columns_named_source_or_reference_are_ignored(reference):
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


def test_one_donor_gives_the_same_split_as_none():
    donor = np.full(160, "one")
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    assert heldout_cells(split) == {"A": 20, "B": 10, "C": 2}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_every_type_is_on_both_sides(share):
    split = split_cells(TYPES, heldout=share, rng=np.random.default_rng(1))
    assert all(0 < n < (t == TYPES).sum() for t, n in heldout_cells(split).items())
