"""Files that are not tables are named, with what to do; nothing is called truncated that is not."""

from __future__ import annotations

import bz2
import gzip
import zipfile

import h5py
import numpy as np
import pytest
import zarr

from hpvade._errors import FileFormatError
from hpvade._formats import UNREADABLE
from hpvade.io import read_bulk

FILES = {
    "empty": ("bulk.tsv", b""),
    "empty, blank": ("bulk.tsv", b" \n\n"),
    "empty, compressed": ("bulk.tsv.gz", gzip.compress(b"")),
    "rds": ("bulk.rds", gzip.compress(b"X\n\x00\x00\x00\x03\x00\x04\x02\x01")),
    "rds, plain": ("bulk.rds", b"X\n\x00\x00\x00\x03\x00\x04\x02\x01"),
    "rdata": ("bulk.RData", bz2.compress(b"RDX3\nX\n\x00\x00\x00\x03")),
    "xls": ("bulk.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)),
    "pdf": ("bulk.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    "html": ("bulk.tsv.gz", b"<!DOCTYPE html>\n<html><head><title>Log in</title></head>"),
    "html, compressed": ("bulk.tsv.gz", gzip.compress(b"\n<html lang='en'>\n<body>Error 403, sorry\n")),
    "xml": ("bulk.xls", b"<?xml version='1.0'?>\n<Workbook><Worksheet>\n"),
    "json": ("bulk.json", b'{"genes": ["ACTB", "CD3E"],\n"s1": [1, 2]}\n'),
    "soft": ("GSE1_family.soft.gz", gzip.compress(b"^DATABASE = GeoMiame\n!Database_name = GEO\n")),
    "mtx": ("matrix.mtx", b"%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 5\n"),
    "arrow": ("bulk.feather", b"ARROW1\x00\x00\xff\xff\xff\xff"),
    "numpy": ("bulk.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"),
    "pickle": ("bulk.pkl", b"\x80\x04\x95\x10\x00\x00"),
    "reads": ("S1.fastq.gz", gzip.compress(b"@read1 x\nACGTN\n+\nIIIII\n")),
    "reads, BAM": ("S1.bam", gzip.compress(b"BAM\x01\x10\x00\x00\x00")),
    "annotation": ("genes.gtf", b'#!build x\n1\thavana\tgene\t11869\t14409\t.\t+\t.\tgene_id "ENSG1"\n' * 2),
    "cel": ("a.CEL", b"[CEL]\nVersion=3\n"),
    "picture": ("plot.tsv", b"\x89PNG\r\n\x1a\n\x00\x00"),
    "archive": ("GSE1_RAW.tar", b"GSM1.txt.gz".ljust(257, b"\x00") + b"ustar\x00" + bytes(400)),
    "archive, compressed": (
        "a.tar.gz",
        gzip.compress(b"x.txt".ljust(257, b"\x00") + b"ustar\x00" + bytes(400)),
    ),
    "lfs": ("bulk.tsv", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
}


def refused(path, kind):
    """The file is named as what it is, with the remedy."""
    with pytest.raises(FileFormatError) as caught:
        read_bulk(path)
    expected = UNREADABLE[kind]
    assert str(caught.value) == f"{path} is not a bulk table, but {expected.title}. {expected.remedy}"


@pytest.mark.parametrize("case", FILES)
def test_files(tmp_path, case):
    name, content = FILES[case]
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, case.partition(",")[0])


HDF5 = {
    "mudata": ["mod/rna", "obs", "var"],
    "loom": ["row_attrs", "col_attrs", "layers"],
    "tenx h5": ["matrix/features", "matrix/barcodes"],
    "tenx h5, old": ["GRCh38/barcodes", "GRCh38/genes"],
    "h5seurat": ["assays/RNA", "cell.names", "reductions"],
    "kallisto h5": ["est_counts", "aux/lengths"],
    "archs4": ["data/expression", "meta/genes"],
    "hdf5": ["something"],
}


@pytest.mark.parametrize("case", HDF5)
@pytest.mark.parametrize("name", ["bulk.h5", "bulk.tsv"])
def test_hdf5_files(tmp_path, case, name):
    with h5py.File(tmp_path / name, "w") as file:
        for group in HDF5[case]:
            file.create_group(group)
    refused(tmp_path / name, case.partition(",")[0])


def test_zarr_stores(tmp_path):
    store = zarr.open_group(tmp_path / "m.zarr", mode="w")
    for group in ("mod", "obs", "var"):
        store.create_group(group)
    refused(tmp_path / "m.zarr", "mudata")
    store = zarr.open_group(
        tmp_path / "s.zarr", mode="w", attributes={"spatialdata_attrs": {"version": "0.2"}}
    )
    store.create_group("tables")
    refused(tmp_path / "s.zarr", "spatialdata")


@pytest.mark.parametrize(
    ("kind", "member"),
    [("document", "word/document.xml"), ("xls", "xl/workbook.bin"), ("numpy", "X.npy")],
)
def test_files_that_are_zip_files(tmp_path, kind, member):
    with zipfile.ZipFile(tmp_path / "bulk.csv", "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr(member, "x")
    refused(tmp_path / "bulk.csv", kind)


def test_a_tenx_folder(tmp_path):
    for name in ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"a\tb\n"))
    refused(tmp_path, "tenx folder")


@pytest.mark.parametrize("content", [bytes(range(256)) * 4, np.random.default_rng(0).bytes(3000)])
def test_unknown_files(tmp_path, content):
    (tmp_path / "bulk.tsv").write_bytes(content)
    with pytest.raises(
        FileFormatError, match=r"is in no format that is known\. Expected a bulk table: AnnData.*TSV"
    ):
        read_bulk(tmp_path / "bulk.tsv")


def test_compressed_files_that_are_no_text(tmp_path):
    with h5py.File(tmp_path / "bulk.h5ad", "w") as file:
        file.create_group("obs")
        file.create_group("var")
    (tmp_path / "bulk.h5ad.gz").write_bytes(gzip.compress((tmp_path / "bulk.h5ad").read_bytes()))
    with pytest.raises(FileFormatError, match=r"is compressed with gzip, but holds no text. Unpack it"):
        read_bulk(tmp_path / "bulk.h5ad.gz")


@pytest.mark.parametrize("text", ["Dear all,\nplease find the table attached.\nBest\n", "ACTB\nCD3E\nCD19\n"])
def test_text_that_is_no_table(tmp_path, text):
    (tmp_path / "mail.txt").write_text(text)
    with pytest.raises(FileFormatError, match=r"mail\.txt (is not a delimited text table|has no column)"):
        read_bulk(tmp_path / "mail.txt")
