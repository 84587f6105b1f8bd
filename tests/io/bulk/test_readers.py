"""Every format of bulk tables that holds all samples in one file."""

from __future__ import annotations

import csv
import datetime
import gzip
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hpvade._errors import FileFormatError, InputError
from hpvade._formats import BULK_FORMATS
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk
from hpvade.io.bulk._readers import READERS

GENES = ["ACTB", "CD3E", "CD19", "LYZ"]
VALUES = pd.DataFrame(
    [[800.5, 12.25, 3.5, 0.0], [650.25, 2.0, 30.5, 100.0]], index=["s1", "s2"], columns=GENES
)


def test_every_format_has_a_reader():
    assert sorted(READERS) == sorted(known.name for known in BULK_FORMATS)


def check(bulk: AnnData, expected: pd.DataFrame = VALUES) -> None:
    assert isinstance(bulk.X, np.ndarray)
    assert bulk.X.dtype == np.float64
    pd.testing.assert_frame_equal(bulk.to_df(), expected, check_names=False)


def test_gct(text_file):
    body = VALUES.T.reset_index(names="Name")
    body.insert(1, "Description", ["actin", "", "b", "NA"])
    text = "#1.2\n4\t2\n" + body.to_csv(sep="\t", index=False)
    bulk = read_bulk(text_file(text, "bulk.gct"))
    check(bulk)
    assert bulk.uns["hpvade"]["format"] == "gct"
    with pytest.raises(FileFormatError, match="states 5 genes and 2 samples, but it has 4 and 2"):
        read_bulk(text_file(text.replace("4\t2", "5\t2"), "bulk.gct"))
    with pytest.raises(FileFormatError, match=r"not a GCT file of version 1\.2"):
        read_bulk(text_file(text.replace("#1.2", "#1.3"), "bulk.gct"))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.filterwarnings("ignore:Writing zarr v2")
def test_h5ad_and_zarr(tmp_path, container):
    adata = AnnData(container(VALUES.to_numpy()), VALUES[[]], pd.DataFrame(index=GENES))
    adata.write_h5ad(tmp_path / "bulk.h5ad")
    check(read_bulk(tmp_path / "bulk.h5ad"))
    adata.write_zarr(tmp_path / "bulk.zarr")
    check(read_bulk(tmp_path / "bulk.zarr"))


def test_nf_core(text_file):
    body = VALUES.T.set_axis(["ENSG1.2", "ENSG2.1", "ENSG3.4", "ENSG4.5"]).reset_index(names="gene_id")
    body.insert(1, "gene_name", GENES)
    bulk = read_bulk(text_file(body.to_csv(sep="\t", index=False), "salmon.merged.gene_tpm.tsv"))
    assert bulk.uns["hpvade"]["format"] == "nf-core"
    assert list(bulk.var_names) == ["ENSG1.2", "ENSG2.1", "ENSG3.4", "ENSG4.5"]
    assert list(bulk.var["gene_name"]) == GENES
    np.testing.assert_array_equal(bulk.X, VALUES)


def test_feature_counts(text_file):
    text = (
        '# Program:featureCounts v2.0.1; Command:"featureCounts" "-a" "x.gtf"\n'
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\t/data/bam/s1.bam\ts2.bam\n"
        "ACTB\t7;7\t1;5\t3;9\t-;-\t8\t800\t650\nCD3E\t11\t1\t9\t+\t9\t12\t2\nCD19\t16\t1\t9\t+\t9\t3\t30\n"
    )
    bulk = read_bulk(text_file(text))
    check(bulk, pd.DataFrame([[800.0, 12.0, 3.0], [650.0, 2.0, 30.0]], ["s1", "s2"], GENES[:3]))
    assert bulk.uns["hpvade"]["unit"] == "counts"
    assert bulk.uns["hpvade"]["format"] == "featureCounts"


def test_second_column_of_symbols(text_file):
    body = VALUES.T.reset_index(names="gene")
    body.insert(1, "Symbol", ["a", "b", "c", "d"])
    bulk = read_bulk(text_file(body.to_csv(index=False), "bulk.csv"))
    check(bulk)
    assert list(bulk.var["gene_name"]) == ["a", "b", "c", "d"]


def test_an_anndata_without_values(tmp_path):
    AnnData(obs=pd.DataFrame(index=["s1"]), var=pd.DataFrame(index=GENES)).write_h5ad(tmp_path / "bulk.h5ad")
    with pytest.raises(FileFormatError, match="has no matrix X"):
        read_bulk(tmp_path / "bulk.h5ad")


# AnnData with genes in obs


def transposed(container=np.asarray) -> AnnData:
    genes = ["ACTB", "CD3E", "CD19", "LYZ", *(f"G{i}" for i in range(20))]
    values = np.random.default_rng(0).gamma(0.5, 900, (24, 3))
    return AnnData(container(values), pd.DataFrame(index=genes), pd.DataFrame(index=["s1", "s2", "s3"]))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
@pytest.mark.parametrize("known", [None, ["G1", "G2", "other"]])
@pytest.mark.filterwarnings("ignore:Writing zarr v2")
def test_genes_in_obs_are_recognised_and_said(tmp_path, container, suffix, known):
    adata = transposed(container)
    getattr(adata, f"write_{suffix}")(tmp_path / f"bulk.{suffix}")
    with pytest.warns(DataWarning, match="has genes in obs and samples in var, so it was transposed"):
        bulk = read_bulk(tmp_path / f"bulk.{suffix}", genes=known)
    check(bulk, adata.to_df().T)
    assert bulk.uns["hpvade"]["orientation_by"] == ("shared genes" if known else "well-known genes")


def test_symbols_of_genes_in_obs(tmp_path):
    adata = transposed()
    adata.obs["gene_name"] = list(adata.obs_names)
    adata.obs_names = [f"ENSG{i:011d}" for i in range(24)]
    adata.write_h5ad(tmp_path / "bulk.h5ad")
    with pytest.warns(DataWarning, match="transposed"):
        bulk = read_bulk(tmp_path / "bulk.h5ad")
    assert list(bulk.var["gene_name"]) == list(adata.obs["gene_name"])


def test_samples_that_are_named_like_genes(tmp_path):
    adata = transposed().T
    adata.obs_names = ["CD4", "CD19", "CD3E"]
    adata.var_names = [f"locus{i}" for i in range(24)]
    adata.write_h5ad(tmp_path / "bulk.h5ad")
    check(read_bulk(tmp_path / "bulk.h5ad", genes=["CD4", "CD19"]), adata.to_df())


@pytest.mark.filterwarnings("ignore:Writing zarr v2")
@pytest.mark.parametrize("folder", ["", "bulk.zarr/"])
def test_zarr_in_a_zip_file(tmp_path, folder):
    AnnData(VALUES.to_numpy(), VALUES[[]], pd.DataFrame(index=GENES)).write_zarr(tmp_path / "bulk.zarr")
    with zipfile.ZipFile(tmp_path / "bulk.zarr.zip", "w") as archive:
        for file in (tmp_path / "bulk.zarr").rglob("*"):
            archive.write(file, f"{folder}{file.relative_to(tmp_path / 'bulk.zarr')}")
    bulk = read_bulk(tmp_path / "bulk.zarr.zip")
    check(bulk)
    assert bulk.uns["hpvade"]["format"] == "zarr"


def test_the_content_decides_not_the_name(tmp_path):
    AnnData(VALUES.to_numpy(), VALUES[[]], pd.DataFrame(index=GENES)).write_h5ad(tmp_path / "bulk.tsv")
    check(read_bulk(tmp_path / "bulk.tsv"))
    VALUES.T.to_csv(tmp_path / "bulk.h5ad", sep="\t")
    check(read_bulk(tmp_path / "bulk.h5ad"))
    VALUES.T.to_excel(tmp_path / "bulk.xlsx")
    check(read_bulk((tmp_path / "bulk.xlsx").rename(tmp_path / "bulk.csv")))


# Excel and Parquet


@pytest.mark.parametrize("turned", [True, False])
def test_excel(tmp_path, turned):
    (VALUES.T if turned else VALUES).to_excel(tmp_path / "bulk.xlsx", index_label="id")
    bulk = read_bulk(tmp_path / "bulk.xlsx")
    check(bulk)
    assert bulk.uns["hpvade"]["format"] == "excel"


def test_numbers_of_excel_are_not_taken_for_separated_thousands(tmp_path):
    table = pd.DataFrame({"s1": [1.351, 12.046, 567.0], "s2": [2.125, 3.0, 4.375]}, index=GENES[:3])
    table.to_excel(tmp_path / "bulk.xlsx")
    check(read_bulk(tmp_path / "bulk.xlsx"), table.T)


def test_text_in_excel_may_have_separated_thousands(tmp_path):
    table = pd.DataFrame({"s1": [1351, 12, 0], "s2": [2125, 3, 4_000_375]}, index=GENES[:3])
    table.map("{:,}".format).to_excel(tmp_path / "bulk.xlsx")
    with pytest.warns(DataWarning, match="'4,000,375' was read as 4000375"):
        check(read_bulk(tmp_path / "bulk.xlsx"), table.T.astype(float))


def test_the_first_sheet_with_a_table_is_read_and_said(tmp_path):
    with pd.ExcelWriter(tmp_path / "bulk.xlsx") as book:
        pd.DataFrame({"About": ["Supplementary data", "of an article"]}).to_excel(book, sheet_name="Read me")
        VALUES.T.to_excel(book, sheet_name="TPM", startrow=2, startcol=0)
        (VALUES.T * 3).to_excel(book, sheet_name="counts")
        book.sheets["Read me"].delete_cols(1)
        hidden = book.book.create_sheet("old", 0)
        hidden.append(["gene", "s1"])
        hidden.append(["ACTB", 5])
        hidden.sheet_state = "hidden"
    with pytest.warns(DataWarning, match=r"Sheet 'TPM' was read.*tables in other sheets too: 'counts'"):
        check(read_bulk(tmp_path / "bulk.xlsx"))


def test_dates_in_excel(tmp_path):
    table = VALUES.T.copy()
    table.index = [*GENES[:3], datetime.datetime(2025, 3, 1)]
    table.to_excel(tmp_path / "bulk.xlsx")
    with pytest.warns(DataWarning, match="1 gene name is a date, for instance '2025-03-01"):
        assert read_bulk(tmp_path / "bulk.xlsx").n_vars == 4


def test_an_excel_workbook_without_a_table_or_damaged(tmp_path):
    pd.DataFrame({"a": ["only", "text"]}).to_excel(tmp_path / "text.xlsx", index=False)
    with pytest.raises(FileFormatError, match="has no sheet with a table"):
        read_bulk(tmp_path / "text.xlsx")
    VALUES.to_excel(tmp_path / "cut.xlsx")
    (tmp_path / "cut.xlsx").write_bytes((tmp_path / "cut.xlsx").read_bytes()[:-200])
    with pytest.raises(FileFormatError, match=r"cut\.xlsx cannot be read"):
        read_bulk(tmp_path / "cut.xlsx")


@pytest.mark.parametrize(
    "write",
    [
        VALUES.T.to_parquet,
        VALUES.to_parquet,
        lambda path: VALUES.T.reset_index(names="gene").to_parquet(path),
        lambda path: VALUES.T.assign(symbol=GENES).to_parquet(path, index=False),
        lambda path: VALUES.T.reset_index(names="gene").astype({"gene": "category"}).to_parquet(path),
        lambda path: VALUES.T.astype("Float64").to_parquet(path, compression="zstd"),
    ],
    ids=["index", "turned", "first column", "last column", "categories", "nullable"],
)
def test_parquet(tmp_path, write):
    write(tmp_path / "bulk.parquet")
    bulk = read_bulk(tmp_path / "bulk.parquet")
    check(bulk)
    assert bulk.uns["hpvade"]["format"] == "parquet"


def test_parquet_with_annotation_symbols_and_text(tmp_path):
    table = pd.DataFrame({"s1": [1351, 12, 0, 7], "s2": [2125, 3, 4_000_375, 8]}, index=GENES)
    stored = table.map("{:,}".format).set_axis(["ENSG1", "ENSG2", "ENSG3", "ENSG4"])
    stored = stored.assign(gene_name=GENES, Length=[5, 6, 7, 8])
    stored.to_parquet(tmp_path / "bulk.parquet")
    with pytest.warns(DataWarning) as caught:
        bulk = read_bulk(tmp_path / "bulk.parquet")
    said = " ".join(str(warning.message) for warning in caught)
    assert "left out: 'Length'" in said
    assert "'4,000,375' was read as 4000375" in said
    assert list(bulk.var["gene_name"]) == GENES
    np.testing.assert_array_equal(bulk.X, table.T)


def test_parquet_that_has_no_names_or_is_damaged(tmp_path):
    VALUES.T.reset_index(drop=True).to_parquet(tmp_path / "bulk.parquet")
    with pytest.raises(FileFormatError, match=r"has no names of genes or samples. Store them in the index"):
        read_bulk(tmp_path / "bulk.parquet")
    (tmp_path / "bulk.parquet").write_bytes((tmp_path / "bulk.parquet").read_bytes()[:-50])
    with pytest.raises(FileFormatError, match="cannot be read as a Parquet file"):
        read_bulk(tmp_path / "bulk.parquet")


@pytest.mark.parametrize(
    ("suffix", "library", "extra"), [("xlsx", "openpyxl", "excel"), ("parquet", "pyarrow", "parquet")]
)
def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch, suffix, library, extra):
    path = tmp_path / f"bulk.{suffix}"
    VALUES.to_excel(path) if suffix == "xlsx" else VALUES.to_parquet(path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"needs {library}: pip install 'hp-vade\[{extra}\]'\. Or"):
        read_bulk(path)


# GEO series matrix


def series_matrix(table: str) -> str:
    """A series matrix as GEO writes it."""
    sample_lines = "".join(f'!Sample_{i}\t"a"\t"b"\n' for i in range(150))
    return (
        '!Series_title\t"PBMC"\n!Series_platform_id\t"GPL570"\n\n!Sample_title\t"one"\t"two"\n'
        f"{sample_lines}!series_matrix_table_begin\n{table}!series_matrix_table_end\n"
    )


def test_geo_series_matrix(tmp_path):
    table = VALUES.set_axis(["GSM1", "GSM2"])
    text = series_matrix(table.T.to_csv(sep="\t", index_label="ID_REF", quoting=csv.QUOTE_NONNUMERIC))
    (tmp_path / "GSE1_series_matrix.txt.gz").write_bytes(gzip.compress(text.encode()))
    bulk = read_bulk(tmp_path / "GSE1_series_matrix.txt.gz")
    check(bulk, table)
    assert bulk.uns["hpvade"]["format"] == "series matrix"


def test_a_series_matrix_without_values_or_end(text_file):
    with pytest.raises(FileFormatError, match=r"without values. Series of RNA-seq.*supplementary files"):
        read_bulk(text_file(series_matrix('"ID_REF"\t"GSM1"\t"GSM2"\n'), "GSE1_series_matrix.txt"))
    text = series_matrix(VALUES.T.to_csv(sep="\t"))
    with pytest.raises(FileFormatError, match="truncated: it has no line !series_matrix_table_end"):
        read_bulk(text_file(text[:-40], "GSE2_series_matrix.txt"))


# featureCounts


def test_feature_counts_with_attributes(text_file):
    text = (
        '# Program:featureCounts v2.0.1; Command:"featureCounts" "--extraAttributes" "gene_name"\n'
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\tgene_name\ts1.bam\ts2.bam\n"
        "ENSG1\t7;7\t1;5\t3;9\t-;-\t8\tACTB\t800\t650\nENSG2\t11\t1\t9\t+\t9\tCD3E\t12\t2\n"
    )
    bulk = read_bulk(text_file(text))
    check(bulk, pd.DataFrame([[800.0, 12.0], [650.0, 2.0]], ["s1", "s2"], ["ENSG1", "ENSG2"]))
    assert list(bulk.var["gene_name"]) == ["ACTB", "CD3E"]
