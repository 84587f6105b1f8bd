"""Files of other programs: each is named, with the way out."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zipfile

import h5py
import numpy as np
import pytest

import hpvade
from hpvade._errors import FileFormatError
from hpvade.io import count_cells, open_reference, read_reference

RDS = b"X\n\x00\x00\x00\x03\x00\x04\x03\x00\x00\x03\x05\x00" + bytes(range(256))
RDATA = b"RDX3\nX\n\x00\x00\x00\x03" + bytes(range(256))


def hdf5(path, *entries):
    with h5py.File(path, "w") as file:
        for entry in entries:
            file.create_group(entry)


def zarr_store(path, *groups):
    import zarr

    store = zarr.open_group(path, mode="w")
    for group in groups:
        store.create_group(group)


MAKERS = {
    "ref.rds": lambda path: path.write_bytes(gzip.compress(RDS)),
    "plain.rds": lambda path: path.write_bytes(RDS),
    "xz.rds": lambda path: path.write_bytes(lzma.compress(RDS)),
    "ref.RData": lambda path: path.write_bytes(bz2.compress(RDATA)),
    "ref.pkl": lambda path: path.write_bytes(pickle.dumps({"a": 1})),
    "ref.loom": lambda path: hdf5(path, "matrix", "row_attrs", "col_attrs", "layers"),
    "ref.h5Seurat": lambda path: hdf5(path, "assays", "cell.names", "meta.data"),
    "molecule_info.h5": lambda path: hdf5(path, "barcode_idx", "umi", "features"),
    "other.h5": lambda path: hdf5(path, "something"),
    "spatial.zarr": lambda path: zarr_store(path, "images", "shapes", "tables"),
    "matrix.mtx": lambda path: path.write_text(
        "%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1\n"
    ),
    "table.csv": lambda path: path.write_text("gene,c1\nCD3E,1\n"),
    "table.tsv.gz": lambda path: path.write_bytes(gzip.compress(b"gene\tc1\nCD3E\t1\n")),
    "parquet.h5ad": lambda path: path.write_bytes(b"PAR1" + bytes(100) + b"PAR1"),
    "empty": lambda path: path.mkdir(),
}
SAYS = {
    "ref.rds": "an R object (RDS), not a single-cell reference. Convert it to h5ad in R",
    "plain.rds": "an R object (RDS)",
    "xz.rds": "an R object (RDS)",
    "ref.RData": "an R workspace (RData)",
    "ref.pkl": "a Python pickle",
    "ref.loom": "a loom file, not a single-cell reference. Convert it: scanpy.read_loom",
    "ref.h5Seurat": "an h5Seurat file",
    "molecule_info.h5": "filtered_feature_bc_matrix.h5",
    "other.h5": "it has no obs and var",
    "spatial.zarr": "a SpatialData store",
    "matrix.mtx": "not a single-cell reference. Give its folder",
    "table.csv": "a text file",
    "table.tsv.gz": "a text file",
    "parquet.h5ad": "a Parquet file",
    "empty": "an empty folder",
}


@pytest.mark.parametrize("name", MAKERS)
def test_each_kind_is_named_with_the_way_out(tmp_path, name):
    path = tmp_path / name
    MAKERS[name](path)
    for read in (read_reference, count_cells):
        with pytest.raises(FileFormatError) as caught:
            read(path)
        assert SAYS[name] in str(caught.value)
        assert "truncated" not in str(caught.value)
    with pytest.raises(FileFormatError), open_reference(path):
        pass


def test_packed_h5ad(tmp_path):
    hpvade.testing.tiny_reference().write_h5ad(tmp_path / "ref.h5ad")
    content = (tmp_path / "ref.h5ad").read_bytes()
    (tmp_path / "ref.h5ad.gz").write_bytes(gzip.compress(content))
    with pytest.raises(FileFormatError, match=r"compressed with gzip\. Unpack it first"):
        read_reference(tmp_path / "ref.h5ad.gz")
    with zipfile.ZipFile(tmp_path / "ref.zip", "w") as archive:
        archive.writestr("ref.h5ad", content)
    with pytest.raises(FileFormatError, match=r"compressed with zip\. Unpack it first"):
        read_reference(tmp_path / "ref.zip")


def test_a_folder_of_10x_folders_names_one(tmp_path):
    (tmp_path / "outs" / "filtered_feature_bc_matrix").mkdir(parents=True)
    (tmp_path / "outs" / "filtered_feature_bc_matrix" / "matrix.mtx.gz").write_bytes(b"")
    with pytest.raises(
        FileFormatError, match=r"holds the 10x folder .*filtered_feature_bc_matrix: give that"
    ):
        read_reference(tmp_path / "outs")


def test_random_bytes_may_be_truncated(tmp_path):
    (tmp_path / "random.h5ad").write_bytes(np.random.default_rng(0).bytes(1000))
    with pytest.raises(FileFormatError, match="truncated or in another format"):
        read_reference(tmp_path / "random.h5ad")
