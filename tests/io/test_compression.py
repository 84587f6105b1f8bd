"""Compressed files and encodings, recognised by content whatever the name of the file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from numcodecs.zstd import Zstd

from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk, read_text_table

SAMPLES = ["Größe 1", "µ-2", "s3"]
ENCODING_NOTE = "is not valid UTF-8; its names were read as Windows-1252"


@pytest.fixture
def table():
    values = np.random.default_rng(0).gamma(0.5, 900, (500, 3))
    return pd.DataFrame(values, index=["ACTB", "CD3E", *(f"G{i}" for i in range(498))], columns=SAMPLES)


@pytest.fixture
def text(table):
    return table.to_csv(sep="\t", index_label="gene").encode()


def zipped(text, **files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/table.tsv", text)
        archive.writestr("__MACOSX/folder/._table.tsv", b"what macOS adds")
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


PACKERS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
    "zst": Zstd().encode,
}


def check(path, table):
    pd.testing.assert_frame_equal(read_bulk(path).to_df().T, table, check_names=False)


@pytest.mark.parametrize("name", ["bulk.tsv.{}", "bulk.tsv", "bulk.csv.gz"])
@pytest.mark.parametrize("packer", PACKERS)
def test_compressed_text(tmp_path, table, text, packer, name):
    path = tmp_path / name.format(packer)
    path.write_bytes(PACKERS[packer](text))
    check(path, table)


@pytest.mark.parametrize("packer", PACKERS)
def test_truncated_files(tmp_path, text, packer):
    packed = PACKERS[packer](text)
    for kept in (len(packed) - 20, len(packed) // 2, 30):
        (tmp_path / "bulk.tsv").write_bytes(packed[:kept])
        with pytest.raises(FileFormatError, match=r"bulk\.tsv cannot be .*truncated"):
            read_bulk(tmp_path / "bulk.tsv")


@pytest.mark.parametrize("packer", ["gz", "bz2", "xz", "zst"])
def test_damaged_files(tmp_path, text, packer):
    damaged = bytearray(PACKERS[packer](text))
    damaged[500:540] = b"\xff" * 40
    (tmp_path / "bulk.tsv").write_bytes(damaged)
    with pytest.raises(FileFormatError, match=r"bulk\.tsv"):
        read_bulk(tmp_path / "bulk.tsv")


def test_zip_files_with_several_files_or_none(tmp_path, text):
    (tmp_path / "bulk.zip").write_bytes(zipped(text, **{"other.tsv": b"x"}))
    with pytest.raises(FileFormatError, match=r"zip file with 2 files \(folder/table.tsv, other.tsv"):
        read_bulk(tmp_path / "bulk.zip")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.mkdir("folder")
    with pytest.raises(FileFormatError, match="zip file with no file"):
        read_bulk(tmp_path / "none.zip")


def test_a_zip_file_with_a_password(tmp_path, text):
    packed = bytearray(zipped(text))
    for start in (packed.index(b"PK\x03\x04") + 6, packed.index(b"PK\x01\x02") + 8):
        packed[start] |= 1  # the flag of encryption
    (tmp_path / "bulk.zip").write_bytes(packed)
    with pytest.raises(FileFormatError, match=r"cannot be unpacked .*password.* Unpack it"):
        read_bulk(tmp_path / "bulk.zip")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packer", [bytes, gzip.compress])
def test_unicode_text(tmp_path, table, text, encoding, packer):
    (tmp_path / "bulk.txt").write_bytes(packer(text.decode().encode(encoding)))
    check(tmp_path / "bulk.txt", table)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("packer", [bytes, gzip.compress])
def test_other_encodings_are_read_and_said(tmp_path, table, text, encoding, packer):
    (tmp_path / "bulk.csv").write_bytes(packer(text.decode().encode(encoding)))
    with pytest.warns(DataWarning, match=ENCODING_NOTE):
        check(tmp_path / "bulk.csv", table)


def test_a_late_byte_in_another_encoding(tmp_path, table):
    table = table.set_axis(["a", "b", "c"], axis=1).rename(index={"G497": "Gène"})
    text = table.to_csv(sep="\t", index_label="gene")
    (tmp_path / "bulk.tsv").write_bytes(text.encode("latin-1"))
    with pytest.warns(DataWarning, match=ENCODING_NOTE):
        check(tmp_path / "bulk.tsv", table)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(tmp_path, table, text, end):
    (tmp_path / "bulk.tsv").write_bytes(text.replace(b"\n", end.encode()))
    check(tmp_path / "bulk.tsv", table)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_small_tables_of_users_too(tmp_path, encoding):
    (tmp_path / "groups.csv").write_bytes(gzip.compress("sample,group\nPat_ä,Größe\n".encode(encoding)))
    assert read_text_table(tmp_path / "groups.csv").to_dict("list") == {
        "sample": ["Pat_ä"],
        "group": ["Größe"],
    }
