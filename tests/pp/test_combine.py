from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import GeneOverlapError, LabelError
from hpvade._warnings import DataWarning
from hpvade.pp import combine_references, reference_signature


@pytest.fixture
def two():
    one = hpvade.testing.tiny_reference(n_cells=10)
    other = hpvade.testing.tiny_reference(n_cells=12, seed=2)[:, 20:].copy()
    return {"one": one, "other": other}


def test_all_genes_and_sources(two):
    combined = combine_references(two, labels_key="cell_type", donor_key="donor")
    assert combined.shape == (66, 150)
    assert set(combined.obs["hpvade_source"].str.split("/").str[0]) == {"one", "other"}
    own = two["other"].var_names
    expected = two["other"]["cell_3"].layers["counts"]
    assert (combined["other:cell_3", own].layers["counts"] != expected).nnz == 0
    assert "gene_ids" in combined.var
    assert combined.var["gene_ids"].notna().all()


def test_borrowed_genes_have_the_lenders_profile_at_the_borrowers_depth():
    lender = hpvade.testing.tiny_reference(n_cells=400)
    borrower = lender.copy()
    borrower.layers["counts"] = borrower.layers["counts"] * 3
    combined = combine_references(
        {"lender": lender, "borrower": borrower[:, 20:].copy()}, labels_key="cell_type", donor_key=None
    )
    for cell_type in ("B", "Monocyte", "T"):
        cells = combined[combined.obs["cell_type"] == cell_type, lender.var_names[:20]]
        means = {
            name: np.asarray(cells[cells.obs["hpvade_reference"] == name].layers["counts"].mean(0)).ravel()
            for name in ("lender", "borrower")
        }
        np.testing.assert_allclose(means["borrower"], 3 * means["lender"], rtol=0.15, atol=0.15)


def test_weights_give_every_reference_the_same_rna_content(two):
    two["other"].layers["counts"] = two["other"].layers["counts"] * 5
    combined = combine_references(two, labels_key="cell_type", donor_key=None)
    shared = two["other"].var_names
    totals = (
        np.asarray(combined[:, shared].layers["counts"].sum(1)).ravel() * combined.obs["hpvade_rna_weight"]
    )
    means = totals.groupby([combined.obs["cell_type"], combined.obs["hpvade_reference"]]).mean().unstack()
    np.testing.assert_allclose(means["one"], means["other"])


def test_one_reference_is_returned_unchanged(two):
    assert combine_references({"one": two["one"]}, labels_key="cell_type", donor_key=None) is two["one"]


def test_different_labels_are_named(two):
    two["other"].obs["cell_type"] = two["other"].obs["cell_type"].cat.rename_categories({"T": "T cell"})
    with pytest.raises(LabelError, match=r"'T' of 'one' is not in all of one, other. Pass --label-map"):
        combine_references(two, labels_key="cell_type", donor_key=None)


def test_every_reference_is_on_both_sides_of_the_split(two):
    combined = combine_references(two, labels_key="cell_type", donor_key=None)
    prepared = hpvade.pp.preprocess(combined)
    sides = prepared.obs.groupby("hpvade_reference", observed=True)["split"].value_counts().unstack()
    assert (sides > 0).all(axis=None)
    assert sides.loc["one", "heldout"] == 6


def test_donors_are_held_out_within_each_reference(two):
    combined = combine_references(two, labels_key="cell_type", donor_key="donor")
    prepared = hpvade.pp.preprocess(combined, donor_key="donor")
    sides = prepared.obs.groupby("hpvade_source", observed=True)["split"].nunique()
    assert (sides == 1).all()
    held = prepared.obs.loc[prepared.obs["split"] == "heldout", "hpvade_reference"]
    assert set(held) == {"one", "other"}


def test_references_without_common_genes_are_shown(two):
    two["other"].var_names = [f"ENSG{i}" for i in range(two["other"].n_vars)]
    with pytest.raises(GeneOverlapError, match=r"share 0 genes.*one: GENE0.*other: ENSG0"):
        combine_references(two, labels_key="cell_type", donor_key=None)


def test_type_with_one_cell_in_each_reference_is_on_both_sides():
    cells = hpvade.testing.tiny_reference()
    rare = [cells[[i, *range(40, 120)]].copy() for i in range(4)]
    references = {f"r{i}": part for i, part in enumerate(rare)}
    combined = combine_references(references, labels_key="cell_type", donor_key=None)
    split = hpvade.pp.preprocess(combined).obs
    assert split.loc[split["cell_type"] == "B", "split"].value_counts().to_dict() == {
        "train": 3,
        "heldout": 1,
    }


def test_type_that_one_reference_lacks(two):
    two["other"] = two["other"][two["other"].obs["cell_type"] != "T"].copy()
    with pytest.raises(LabelError, match="'T' of 'one' is not in all"):
        combine_references(two, labels_key="cell_type", donor_key=None)
    with pytest.warns(DataWarning, match="Not every reference has 'T'"):
        both = combine_references(two, labels_key="cell_type", donor_key=None, allow_missing_types=True)
    assert both.obs["cell_type"].value_counts().to_dict() == {"B": 22, "Monocyte": 22, "T": 10}
    assert np.isfinite(both.obs["hpvade_rna_weight"]).all()
    found = reference_signature(hpvade.pp.preprocess(both)).model_genes
    assert np.isfinite(found.cpm).all()


def test_references_without_two_types_in_common(two):
    two["other"].obs["cell_type"] = (
        two["other"].obs["cell_type"].cat.rename_categories({"T": "T cell", "B": "B cell"})
    )
    with pytest.raises(
        LabelError, match=r"share 1 cell type; at least 2 .* Give matching cell types the same name"
    ):
        combine_references(two, labels_key="cell_type", donor_key=None, allow_missing_types=True)


def test_type_without_counts_in_a_reference_is_named(two):
    counts = two["one"].layers["counts"].tolil()
    counts[(two["one"].obs["cell_type"] == "B").to_numpy()] = 0
    two["one"].layers["counts"] = counts.tocsr()
    with pytest.raises(LabelError, match="'B' of 'one' has no counts"):
        combine_references(two, labels_key="cell_type", donor_key=None)


def test_aliases_come_from_any_reference(two):
    two["one"].var = two["one"].var[[]]
    names = combine_references(two, labels_key="cell_type", donor_key=None).var["gene_ids"]
    assert names["GENE30"] == "ENSG00000000030"
    assert names["GENE3"] == ""


def test_symbols_of_one_reference_are_enough_to_leave_mitochondrial_genes_out(two):
    names = two["one"].var_names.to_list()
    names[5] = "MT-CO1"
    two["one"].var_names = names
    two["other"].var["feature_name"] = two["other"].var_names
    both = combine_references(two, labels_key="cell_type", donor_key=None)
    assert not hpvade.pp.preprocess(both).var["selected"]["MT-CO1"]
