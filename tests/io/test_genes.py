"""Gene names: versions stripped, names matched, collapsing genes summed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hpvade._warnings import DataWarning
from hpvade.io import match_genes, strip_ensembl_version

SYMBOLS = ["CD3E", "CD19", "LYZ"]
IDS = ["ENSG01", "ENSG02", "ENSG03"]


def bulk_with(names, **var) -> AnnData:
    x = np.array([[1.0, 2, 4], [8, 16, 32]])
    return AnnData(x, var=pd.DataFrame(var, index=names), uns={"hpvade": {"notes": ["before"]}})


def reference_var(names, **columns) -> pd.DataFrame:
    return pd.DataFrame(columns, index=names)


def test_versions_are_stripped_off_ensembl_ids_only():
    names = ["ENSG00000123.4", "ENSMUSG1.10", "ENSG5", "AC004.1", "HLA-A", "ENSG7.3_PAR_Y"]
    expected = ["ENSG00000123", "ENSMUSG1", "ENSG5", "AC004.1", "HLA-A", "ENSG7"]
    assert list(strip_ensembl_version(names)) == expected


@pytest.mark.parametrize(
    ("bulk", "var", "mapping"),
    [
        (bulk_with(SYMBOLS), reference_var(SYMBOLS), "bulk names = reference names"),
        (
            bulk_with([f"{i}.3" for i in IDS]),
            reference_var(SYMBOLS, gene_ids=IDS),
            "names = reference gene_ids",
        ),
        (bulk_with(SYMBOLS), reference_var(IDS, feature_name=SYMBOLS), "names = reference feature_name"),
        (bulk_with(IDS, gene_name=SYMBOLS), reference_var(SYMBOLS), "gene_name = reference names"),
        (bulk_with(SYMBOLS), reference_var(IDS, my_names=SYMBOLS), "bulk names = reference my_names"),
        (
            bulk_with(SYMBOLS),
            reference_var(IDS, chromosome=["CD3E"] * len(IDS), my_names=pd.Categorical(SYMBOLS)),
            "bulk names = reference my_names",
        ),
        (
            bulk_with([f"{i}.3" for i in IDS]),
            reference_var([f"{i}.7" for i in IDS]),
            "names = reference names",
        ),
    ],
)
def test_the_pair_of_names_that_shares_most_is_taken(bulk, var, mapping):
    matched = match_genes(bulk, var)
    assert list(matched.var_names) == list(var.index)
    np.testing.assert_array_equal(matched.X, bulk.X)
    assert matched.uns["hpvade"]["gene_mapping"].endswith(mapping)
    assert matched.uns["hpvade"]["notes"][0] == "before"


def test_renaming_is_noted_and_the_input_is_untouched():
    bulk = bulk_with(IDS)
    matched = match_genes(bulk, reference_var(SYMBOLS, gene_ids=IDS))
    assert "renamed" in matched.uns["hpvade"]["notes"][-1]
    assert list(bulk.var_names) == IDS
    assert bulk.uns["hpvade"]["notes"] == ["before"]


def test_genes_that_get_the_same_name_are_summed_and_reported():
    bulk = bulk_with(["ENSG01.1", "ENSG01.2_PAR_Y", "ENSG03"])
    with pytest.warns(DataWarning, match="'CD3E'.*summed"):
        matched = match_genes(bulk, reference_var(SYMBOLS, gene_ids=IDS))
    assert list(matched.var_names) == ["CD3E", "LYZ"]
    np.testing.assert_array_equal(matched.X, [[3, 4], [24, 32]])


def test_unknown_genes_keep_their_names():
    matched = match_genes(bulk_with(["ENSG01", "ENSG99.2", "ENSG03"]), reference_var(SYMBOLS, gene_ids=IDS))
    assert list(matched.var_names) == ["CD3E", "ENSG99.2", "LYZ"]


def test_missing_aliases_match_nothing():
    matched = match_genes(
        bulk_with(["ENSG01", "nan", "x"]), reference_var(SYMBOLS, gene_ids=["ENSG01", None, ""])
    )
    assert list(matched.var_names) == ["CD3E", "nan", "x"]


def test_no_overlap_leaves_names_alone():
    matched = match_genes(bulk_with(["a", "b", "c"]), reference_var(SYMBOLS))
    assert list(matched.var_names) == ["a", "b", "c"]


def test_the_larger_overlap_wins_over_the_first():
    var = reference_var(["ENSG01", "B", "C"], gene_name=["x", "CD19", "LYZ"])
    matched = match_genes(bulk_with(["ENSG01.5", "CD19", "LYZ"]), var)
    assert list(matched.var_names) == ["ENSG01.5", "B", "C"]


@pytest.mark.parametrize(("how", "expected"), [("averaged", [[3.0, 5.0]]), ("summed", [[6.0, 5.0]])])
def test_probes_of_one_gene_are_combined_as_the_table_was_read(how, expected):
    bulk = AnnData(np.array([[2.0, 4.0, 5.0]]), var=pd.DataFrame({"gene_name": ["A", "A", "B"]}, list("xyz")))
    bulk.uns["hpvade"] = {"repeated_genes": how}
    with pytest.warns(DataWarning, match=f"were {how}"):
        matched = match_genes(bulk, pd.DataFrame(index=["A", "B"]))
    np.testing.assert_array_equal(matched.X, expected)
