"""Every format of bulk tables, and what is in none of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hpvade._errors import FileFormatError
from hpvade.io import read_bulk
from hpvade.io._formats import FORMATS

GENES = ["ACTB", "CD3E", "CD19", "LYZ"]
VALUES = pd.DataFrame(
    [[800.5, 12.25, 3.5, 0.0], [650.25, 2.0, 30.5, 100.0]], index=["s1", "s2"], columns=GENES
)


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
    with pytest.raises(
        FileFormatError, match=r"b\.genes\.results does not list the same genes as .*a\.genes"
    ):
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


def test_binary_and_unsupported_files(tmp_path):
    (tmp_path / "bulk.tsv").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(FileFormatError, match=r"bulk\.tsv"):
        read_bulk(tmp_path / "bulk.tsv")
    (tmp_path / "bulk.xlsx").write_bytes(b"PK")
    with pytest.raises(FileFormatError, match=r"(?s)is not recognised.*Export it as a tab-separated table"):
        read_bulk(tmp_path / "bulk.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match="is not recognised"):
        read_bulk(tmp_path / "empty")


def test_the_error_lists_every_format(tmp_path):
    (tmp_path / "bulk.xlsx").write_bytes(b"PK")
    with pytest.raises(FileFormatError) as caught:
        read_bulk(tmp_path / "bulk.xlsx")
    for known in FORMATS:
        assert f"{known.name} ({', '.join(known.suffixes)}; {known.made_by}): {known.content}" in str(
            caught.value
        )


def test_an_rsem_folder_with_another_table(text_file, tmp_path):
    text_file(rsem([1, 2, 3, 4]), "a.genes.results")
    text_file("gene_id\tx\nACTB\t1\n", "b.genes.results")
    with pytest.raises(FileFormatError, match=r"b\.genes\.results is not an RSEM gene table"):
        read_bulk(tmp_path)


def test_an_anndata_without_values(tmp_path):
    AnnData(obs=pd.DataFrame(index=["s1"]), var=pd.DataFrame(index=GENES)).write_h5ad(tmp_path / "bulk.h5ad")
    with pytest.raises(FileFormatError, match="has no matrix X"):
        read_bulk(tmp_path / "bulk.h5ad")
