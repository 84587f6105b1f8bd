"""Features of a reference: those that are genes, and their names."""

from __future__ import annotations

from contextlib import ExitStack

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning
from hpvade.io import open_reference, read_reference

GENES = ["CD3E", "CD19", "LYZ", "MT-CO1", "HLA-DRA"]


def save(folder, var, *, raw=False):
    """Write a reference of features, each cell with the counts 1, 2, 3, …"""
    counts = np.tile(np.arange(1, len(var) + 1, dtype=np.float32), (4, 1))
    obs = pd.DataFrame({"cell_type": ["T", "T", "B", "B"]}, index=list("abcd"))
    cells = AnnData(sparse.csr_matrix(counts), obs=obs, var=var)
    if raw:
        whole, cells = cells, AnnData(np.full((4, 1), -0.5, np.float32), obs=obs)
        cells.raw = whole
    path = folder / "cells.h5ad"
    cells.write_h5ad(path)
    return path


def both_ways(path, expected):
    """Read a reference as a whole and by blocks."""
    with pytest.warns(DataWarning, match=expected):
        cells = read_reference(path)
    with ExitStack() as stack:
        with pytest.warns(DataWarning, match=expected):
            file = stack.enter_context(open_reference(path))
        np.testing.assert_array_equal(file.block(0, 4).toarray(), cells.layers["counts"].toarray())
        assert list(file.var.index) == list(cells.var_names)
        assert list(file.notes) == cells.uns["hpvade"]["notes"]
    return cells


@pytest.mark.parametrize(
    ("column", "types", "kind"),
    [
        ("feature_types", ["Gene Expression"] * 5 + ["Antibody Capture"] * 2, r"Antibody Capture \(2\)"),
        ("feature_types", ["GEX"] * 5 + ["ADT"] * 2, r"ADT \(2\)"),
        ("modality", ["rna"] * 5 + ["protein", "hto"], r"protein \(1\), hto \(1\)"),
        ("feature_type", ["Gene Expression"] * 5 + ["Peaks"] * 2, r"Peaks \(2\)"),
    ],
)
def test_features_of_other_types_are_left_out(tmp_path, column, types, kind):
    var = pd.DataFrame({column: types}, index=[*GENES, "CD3", "CD19.1"])
    cells = both_ways(save(tmp_path, var), rf"Features that are not genes were left out: {kind}.*'CD3'")
    assert list(cells.var_names) == GENES
    np.testing.assert_array_equal(cells.layers["counts"].toarray()[0], [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["CD3_TotalSeqB", "CD19_TotalSeqB"], r"antibodies \(2\)"),
        (["ADT-CD3", "HTO_1"], r"antibodies \(2\)"),
        (["Hashtag1", "CD4_prot"], r"antibodies \(2\)"),
        (["chr1:100-900", "X-5000-5400"], r"peaks \(2\)"),
    ],
)
def test_names_show_what_is_no_gene_where_types_are_missing(tmp_path, names, kind):
    cells = both_ways(save(tmp_path, pd.DataFrame(index=[*GENES, *names])), kind)
    assert list(cells.var_names) == GENES


def test_features_without_a_type_are_genes(tmp_path):
    var = pd.DataFrame({"feature_types": ["Gene Expression", None, None, None, "Peaks"]}, index=GENES)
    cells = both_ways(save(tmp_path, var), r"Peaks \(1\)")
    assert list(cells.var_names) == GENES[:4]


@pytest.mark.parametrize("column", ["feature_type", "feature_biotype"])
def test_other_kinds_of_types_are_not_misread(tmp_path, column):
    names = [*GENES, "HTT", "PROTN", "ADTRP", "CD3EAP"]
    cells = read_reference(save(tmp_path, pd.DataFrame({column: ["protein_coding"] * 9}, index=names)))
    assert list(cells.var_names) == names


def test_a_reference_without_genes_is_refused(tmp_path):
    var = pd.DataFrame({"feature_types": ["Antibody Capture"] * 2}, index=["CD3", "CD4"])
    with pytest.raises(FileFormatError, match="has no genes: its features are Antibody Capture"):
        read_reference(save(tmp_path, var))


@pytest.mark.parametrize(
    "columns",
    [
        {"features": GENES},
        {"gene_short_name": GENES},
        {"any": GENES, "chromosome": ["1"] * 5},
        {"any": GENES, "accession": [f"ENSG0000000000{i}.2" for i in range(5)]},
        {"id": [f"x{i}" for i in range(5)], "gene_symbols": GENES},
    ],
    ids=["features", "gene_short_name", "one text", "beside Ensembl", "usual heading"],
)
@pytest.mark.parametrize("first", [0, 1])
def test_numbered_genes_get_their_names_from_a_column(tmp_path, columns, first):
    var = pd.DataFrame(columns, index=[str(first + i) for i in range(5)])
    cells = both_ways(
        save(tmp_path, var, raw=True), r"genes of the reference are numbered.*taken from var\['"
    )
    assert list(cells.var_names) == GENES
    assert cells.uns["hpvade"]["counts_found_in"] == "raw.X"


def test_names_in_a_column_that_anndata_cannot_write(tmp_path):
    path = save(tmp_path, pd.DataFrame({"names": GENES}, index=[str(i) for i in range(5)]))
    with h5py.File(path, "a") as file:  # as SeuratDisk does
        var = file["var"]
        var.move("_index", "numbers")
        var.move("names", "_index")
        var.attrs["_index"], var.attrs["column-order"] = "numbers", ["_index"]
    cells = both_ways(path, r"taken from var\['_index'\]")
    assert list(cells.var_names) == GENES
    cells.write_h5ad(tmp_path / "again.h5ad")


def test_several_columns_with_names_are_left_to_the_bulk_table(tmp_path):
    var = pd.DataFrame({"one": GENES, "two": [f"x{i}" for i in range(5)]}, index=[str(i) for i in range(5)])
    cells = both_ways(save(tmp_path, var), "several columns of var may hold their names: one, two")
    assert list(cells.var_names) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("names", [["7157", "1956", "672", "675", "4609"], ["1", "9", "12", "100", "10000"]])
def test_entrez_ids_stay(tmp_path, names):
    cells = read_reference(save(tmp_path, pd.DataFrame({"any": GENES}, index=names)))
    assert list(cells.var_names) == names


def test_genes_left_out_and_repeated_at_once(tmp_path):
    var = pd.DataFrame(
        {"feature_types": ["Gene Expression", "Antibody Capture", *["Gene Expression"] * 2]},
        index=["A", "A", "B", "A"],
    )
    with pytest.warns(UserWarning, match="not unique"):
        path = save(tmp_path, var)
    cells = both_ways(path, "'A'")
    assert list(cells.var_names) == ["A", "B"]
    np.testing.assert_array_equal(cells.layers["counts"].toarray()[0], [1 + 4, 3])
