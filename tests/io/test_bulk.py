"""Reading bulk tables: formats, orientation, and every bad input."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from scipy import sparse

from hpvade._errors import CountsError, FileFormatError, InputError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk

if TYPE_CHECKING:
    from pathlib import Path

GENES = ["ACTB", "CD3E", "CD19", "LYZ"]
VALUES = pd.DataFrame(
    [[800.5, 12.25, 3.5, 0.0], [650.25, 2.0, 30.5, 100.0]], index=["s1", "s2"], columns=GENES
)


@pytest.fixture
def text_file(tmp_path):
    def write(text: str, name: str = "bulk.tsv") -> Path:
        path = tmp_path / name
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
        return path

    return write


def tsv(frame: pd.DataFrame, **kwargs) -> str:
    return frame.to_csv(sep=kwargs.pop("sep", "\t"), **kwargs)


def check(bulk: AnnData, expected: pd.DataFrame = VALUES) -> None:
    assert isinstance(bulk.X, np.ndarray)
    assert bulk.X.dtype == np.float64
    pd.testing.assert_frame_equal(bulk.to_df(), expected, check_names=False)


@pytest.mark.parametrize("name", ["bulk.tsv", "bulk.csv", "bulk.txt.gz"])
@pytest.mark.parametrize("sep", ["\t", ",", ";", " "])
@pytest.mark.parametrize("turned", [True, False])
def test_delimited_text_in_both_orientations(text_file, name, sep, turned):
    bulk = read_bulk(text_file(tsv(VALUES.T if turned else VALUES, sep=sep, index_label="id"), name))
    check(bulk)
    expected = "genes x samples" if turned else "samples x genes"
    assert bulk.uns["hpvade"]["orientation"] == expected
    assert bulk.uns["hpvade"]["orientation_by"] == "well-known genes"


def test_r_style_header_is_one_field_short(text_file):
    text = "s1\ts2\n" + tsv(VALUES.T, header=False)
    check(read_bulk(text_file(text)))


def test_byte_order_mark_quotes_and_comments(text_file):
    text = "\ufeff## made by hand\n# twice\n" + tsv(VALUES.T, quoting=1, index_label="gene")
    check(read_bulk(text_file(text)))


def test_given_genes_decide_the_orientation_despite_versions(text_file):
    wide = pd.DataFrame(
        [[900.5, 1, 5], [700, 2.5, 6]], index=["ENSX.1", "ENSG02.7"], columns=["ACTB", "GAPDH", "TBP"]
    )
    bulk = read_bulk(text_file(tsv(wide)), genes=["ENSG02.3", "ENSG09"])
    assert list(bulk.obs_names) == ["ACTB", "GAPDH", "TBP"]
    assert bulk.uns["hpvade"]["orientation_by"] == "shared genes"


def test_ensembl_ids_decide_the_orientation(text_file):
    wide = VALUES.set_axis(["ENSG1", "ENSMUSG2"]).set_axis(["a", "b", "c", "d"], axis=1)
    bulk = read_bulk(text_file(tsv(wide)))
    assert list(bulk.var_names) == ["ENSG1", "ENSMUSG2"]


def test_longer_axis_decides_at_last_and_is_told(text_file):
    strange = VALUES.set_axis(["a", "b", "c", "d"], axis=1)
    with pytest.warns(DataWarning, match="samples x genes was taken by length"):
        bulk = read_bulk(text_file(tsv(strange)))
    assert list(bulk.obs_names) == ["s1", "s2"]


def test_single_sample(text_file):
    check(read_bulk(text_file(tsv(VALUES.T[["s1"]]))), VALUES.loc[["s1"]])


def test_gct(text_file):
    body = VALUES.T.reset_index(names="Name")
    body.insert(1, "Description", ["actin", "", "b", "NA"])
    text = "#1.2\n4\t2\n" + body.to_csv(sep="\t", index=False)
    bulk = read_bulk(text_file(text, "bulk.gct"))
    check(bulk)
    assert bulk.uns["hpvade"]["format"] == "gct"
    with pytest.raises(FileFormatError, match="promises 5 genes and 2 samples, it holds 4 and 2"):
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


def rsem(tpm, *, genes=GENES) -> str:
    frame = pd.DataFrame(
        {
            "gene_id": genes,
            "transcript_id(s)": ["t1,t2", "t3", "t4", "t5"],
            "length": 1000.5,
            "effective_length": 900.25,
            "expected_count": [10.5, 20, 30, 40],
            "TPM": tpm,
            "FPKM": np.array(tpm) / 2,
        }
    )
    return frame.to_csv(sep="\t", index=False)


def test_rsem_folder_and_file(text_file, tmp_path):
    for sample in VALUES.index:
        text_file(rsem(VALUES.loc[sample].to_list()), f"{sample}.genes.results")
    bulk = read_bulk(tmp_path)
    check(bulk)
    assert bulk.uns["hpvade"]["unit"] == "tpm"
    assert bulk.uns["hpvade"]["unit_given_or_detected"] == "format"
    check(read_bulk(tmp_path / "s1.genes.results"), VALUES.loc[["s1"]])
    check(read_bulk(tmp_path, unit="fpkm"), VALUES / 2)
    assert list(read_bulk(tmp_path, unit="counts").X[0]) == [10.5, 20, 30, 40]


def test_rsem_files_must_list_the_same_genes(text_file, tmp_path):
    text_file(rsem([1, 2, 3, 4]), "a.genes.results")
    text_file(rsem([1, 2, 3, 4], genes=["ACTB", "CD3E", "CD19", "other"]), "b.genes.results")
    with pytest.raises(FileFormatError, match=r"b\.genes\.results does not list the genes of .*a\.genes"):
        read_bulk(tmp_path)


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


def test_result_can_be_written(text_file, tmp_path):
    bulk = read_bulk(text_file(tsv(VALUES)))
    bulk.write_h5ad(tmp_path / "out.h5ad")
    assert dict(read_h5ad(tmp_path / "out.h5ad").uns["hpvade"])["unit"] == "linear"


# bad input


def test_missing_file():
    with pytest.raises(FileFormatError, match=r"nowhere\.tsv does not exist"):
        read_bulk("nowhere.tsv")


def test_truncated_gzip(text_file):
    path = text_file(tsv(pd.DataFrame(np.random.default_rng(0).random((500, 4)))), "bulk.tsv.gz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileFormatError, match=r"bulk\.tsv\.gz cannot be read .*truncated"):
        read_bulk(path)


def test_corrupt_gzip(text_file):
    path = text_file(tsv(pd.DataFrame(np.random.default_rng(0).random((500, 4)))), "bulk.tsv.gz")
    content = bytearray(path.read_bytes())
    content[100:140] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"bulk\.tsv\.gz cannot be read"):
        read_bulk(path)


def test_truncated_text(text_file):
    with pytest.raises(FileFormatError, match="truncated: its last line has fewer columns"):
        read_bulk(text_file(tsv(VALUES.T)[:-8]))


@pytest.mark.parametrize("text", ["", "\n", "gene\n", "gene\ts1\n", "only one column\nof text\n"])
def test_no_table(text_file, text):
    with pytest.raises(FileFormatError, match=r"bulk\.tsv"):
        read_bulk(text_file(text))


def test_binary_file_and_known_strangers(tmp_path):
    (tmp_path / "bulk.tsv").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(FileFormatError, match=r"bulk\.tsv"):
        read_bulk(tmp_path / "bulk.tsv")
    (tmp_path / "bulk.xlsx").write_bytes(b"PK")
    with pytest.raises(FileFormatError, match=r"no known format.*export it as a tab-separated table"):
        read_bulk(tmp_path / "bulk.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match="no known format"):
        read_bulk(tmp_path / "empty")


def test_text_where_a_number_should_be(text_file):
    with pytest.raises(FileFormatError, match="'12,25' in row 'CD3E', column 's1' is not a number"):
        read_bulk(text_file(tsv(VALUES.T).replace("12.25", "12,25")))


@pytest.mark.parametrize(
    ("written", "told"), [("NA", "missing"), ("", "missing"), ("inf", "infinite"), ("-12.25", "negative")]
)
@pytest.mark.parametrize("turned", [True, False])
def test_value_that_is_no_expression_names_sample_and_gene(text_file, written, told, turned):
    text = tsv(VALUES.T if turned else VALUES).replace("12.25", written)
    with pytest.raises(CountsError, match=rf"1 value is .*{told}.* in sample 's1', gene 'CD3E'"):
        read_bulk(text_file(text))


def test_every_bad_sample_is_told_at_once(text_file):
    table = VALUES.T.assign(zero=0.0, flat=7.5)
    table.insert(0, "s1", VALUES.loc["s2"], allow_duplicates=True)
    with pytest.raises(InputError) as caught:
        read_bulk(text_file(tsv(table)))
    text = str(caught.value)
    assert "named more than once: 's1'" in text
    assert "zero for every gene: 'zero'" in text
    assert "the same for every gene: 'flat'" in text


def test_repeated_genes_are_summed_and_told(text_file):
    table = VALUES.set_axis(["ACTB", "CD3E", "ACTB", "LYZ"], axis=1)
    with pytest.warns(DataWarning, match=r"1 gene names occur more than once \(for instance 'ACTB'\)"):
        bulk = read_bulk(text_file(tsv(table.T)))
    check(
        bulk, pd.DataFrame([[804.0, 12.25, 0.0], [680.75, 2.0, 100.0]], ["s1", "s2"], ["ACTB", "CD3E", "LYZ"])
    )
    assert "summed" in bulk.uns["hpvade"]["notes"][0]


def test_repeated_genes_are_summed_after_undoing_the_log(text_file):
    table = pd.DataFrame({"s1": [3.0, 4.0, 0.0, 1.5]}, index=["ACTB", "ACTB", "LYZ", "CD3E"])
    with pytest.warns(DataWarning):
        bulk = read_bulk(text_file(tsv(table)), unit="log2")
    np.testing.assert_allclose(bulk.X, [[7 + 15, 0, 2**1.5 - 1]])


def test_genes_without_a_name_are_dropped_and_told(text_file):
    with pytest.warns(DataWarning, match="1 genes without a name were dropped"):
        bulk = read_bulk(text_file(tsv(VALUES.T).replace("CD19", "")))
    check(bulk, VALUES.drop(columns="CD19"))


@pytest.mark.parametrize(
    ("path", "unit", "transform"),
    [
        ("monaco_GSE107011/bulk_tpm.tsv.gz", "tpm/cpm", "none"),
        ("hoek_GSE64655/bulk_tpm.tsv.gz", "tpm/cpm", "none"),
        ("newman_GSE65133/bulk_linear_microarray_unsaturated.tsv.gz", "linear", "none"),
        ("immunecellmix_gedit/bulk_log2_microarray.tsv.gz", "log2", "2**x"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*look logged")
def test_shared_tables_are_recognised(shared_data, path, unit, transform):
    path = shared_data / "bulk" / path
    bulk = read_bulk(path)
    told = bulk.uns["hpvade"]
    assert (told["unit"], told["transform"], told["orientation"]) == (unit, transform, "genes x samples")
    raw = pd.read_csv(path, sep="\t", index_col=0).T.to_numpy()
    np.testing.assert_allclose(bulk.X, 2**raw if transform == "2**x" else raw, rtol=1e-12)


def test_a_decimal_comma_is_read(tmp_path):
    table = pd.DataFrame({"a": [1.5, 0, 1e6], "b": [2, 3.25, 700]}, index=["G1", "G2", "G3"])
    for separator in (";", "\t"):
        table.to_csv(tmp_path / "german", sep=separator, decimal=",")
        read = read_bulk(tmp_path / "german", genes=["G1", "G2", "G3"], unit="tpm")
        np.testing.assert_allclose(read.to_df().T, table)


def test_all_problems_of_values_and_samples_are_told_at_once(tmp_path):
    (tmp_path / "bulk.tsv").write_text("gene\tgood\tzero\ts\nG1\t1\t0\tn/a\nG2\t2\t0\t-3\nG3\t3\t0\t4\n")
    with pytest.raises(CountsError) as told:
        read_bulk(tmp_path / "bulk.tsv", genes=["G1", "G2", "G3"], unit="tpm")
    text = str(told.value)
    assert "3 problems" in text
    assert (
        "1 value is missing (empty, NA, n/a and the like) or infinite, the first in sample 's', gene 'G1'"
        in text
    )
    assert "negative, the first in sample 's', gene 'G2' (-3)" in text
    assert "zero for every gene: 'zero'. Remove them." in text


def test_utf16_is_named(tmp_path):
    (tmp_path / "bulk.txt").write_bytes("gene\ts\nG1\t1\n".encode("utf-16"))
    with pytest.raises(FileFormatError, match=r"text in UTF-16.*Save it as UTF-8"):
        read_bulk(tmp_path / "bulk.txt")
