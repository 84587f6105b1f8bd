"""Checks of uploaded files."""

from __future__ import annotations

import ctypes
import gzip
import pickle
import shutil
import sys
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest

import hpvade
from hpvade.app import _upload_checks
from hpvade.app._request_error import RequestError
from hpvade.app._upload_checks import check_h5ad, check_in_own_process, check_table, unpack_model

MAX_BYTES = 10**8
MODEL = {
    "weights.safetensors": b"w" * 100,
    "config.json": b"{}",
    "genes.tsv": b"gene\n",
    "validation.tsv": b"cell_type\n",
    "provenance.json": b"{}",
}


@pytest.fixture
def h5ad(tmp_path):
    path = tmp_path / "stored.h5ad"
    hpvade.testing.tiny_reference().write_h5ad(path)
    return path


def check(path, *, dense=False):
    check_h5ad(path, name="mine.h5ad", max_bytes=MAX_BYTES, dense=dense)


def test_an_annotated_file(h5ad):
    check(h5ad)
    check(h5ad, dense=True)


def outside(path):
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.arange(5.0)
    return other


def external_link(file, path):
    file["obs/more"] = h5py.ExternalLink(str(outside(path)), "secret")


def virtual(file, path):
    layout = h5py.VirtualLayout((5,), "f8")
    layout[:] = h5py.VirtualSource(outside(path), "secret", (5,))
    file.create_virtual_dataset("obs/more", layout)


def external_storage(file, path):
    raw = path.with_name("raw.bin")
    raw.write_bytes(b"\0" * 40)
    file.create_dataset("obs/more", (5,), "f8", external=[(str(raw), 0, 40)])


def contains_itself(file, _path):
    file["uns/again"] = file["uns"]


def huge(file, _path):
    file.create_dataset("obsm/more", (10**7, 10**4), "f8", chunks=(1000, 1000), compression="gzip")


def many_names_of_one(file, _path):
    file.create_dataset("uns/a", data=np.zeros(10**6), compression="gzip")
    for i in range(20):
        file[f"uns/a{i}"] = file["uns/a"]


def many_objects(file, _path):
    for i in range(25_000):
        file.create_group(f"uns/{i}")


@pytest.mark.parametrize(
    ("spoil", "message", "status"),
    [
        (external_link, "a link to another file", 415),
        (virtual, "with values in another file", 415),
        (external_storage, "with values in another file", 415),
        (contains_itself, "a group that contains itself", 415),
        (many_objects, "more than 20,000 objects", 415),
        (huge, "would unpack to 800.0 GB", 413),
        (many_names_of_one, "would unpack to 168 MB", 413),
    ],
)
def test_hostile_h5ad_files(h5ad, spoil, message, status):
    with h5py.File(h5ad, "a") as file:
        spoil(file, h5ad)
    with pytest.raises(RequestError, match=message) as error:
        check(h5ad)
    assert error.value.status == status
    assert "'mine.h5ad'" in str(error.value)


def test_a_sparse_table_that_would_be_dense(h5ad):
    with h5py.File(h5ad, "a") as file:
        file["X"].attrs["shape"] = (10**6, 10**6)
    check(h5ad)
    with pytest.raises(RequestError, match="would unpack to 8000"):
        check(h5ad, dense=True)


def test_a_link_within_the_file_is_not_followed(h5ad):
    with h5py.File(h5ad, "a") as file:
        file["uns/again"] = h5py.SoftLink("/uns")
        file["uns/nowhere"] = h5py.SoftLink("/nothing")
    check(h5ad)


def test_damaged_files(h5ad):
    content = h5ad.read_bytes()
    h5ad.write_bytes(content[: len(content) // 2])
    with pytest.raises(RequestError, match="cannot be read as an HDF5 file"):
        check(h5ad)


class TestOwnProcess:
    """A file is checked in a process of its own."""

    def test_an_error_is_passed_on(self, h5ad):
        check_in_own_process(check_h5ad, h5ad, name="a", max_bytes=MAX_BYTES, dense=True)
        with pytest.raises(RequestError, match="would unpack to") as error:
            check_in_own_process(check_h5ad, h5ad, name="a", max_bytes=10, dense=True)
        assert error.value.status == 413

    def test_a_file_that_crashes_the_process_is_refused(self):
        with pytest.raises(RequestError, match=r"could not be checked.* exit code -11"):
            check_in_own_process(ctypes.string_at, 0)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
    def test_a_file_that_takes_too_much_memory_is_refused(self):
        check_in_own_process(bytes, 2**30)
        with pytest.raises(RequestError, match="exit code 1"):
            check_in_own_process(bytes, 5 * 2**30)  # zeros, which take no memory until they are read


@pytest.fixture
def zipped(tmp_path):
    """Write a zip file and unpack it as a model; returns what was unpacked."""

    def unpack(files, *, max_bytes=MAX_BYTES, change=None):
        path = tmp_path / "model.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        if change is not None:
            path.write_bytes(change(path.read_bytes()))
        folder = tmp_path / "model"
        try:
            unpack_model(path, name="mine.zip", max_bytes=max_bytes, folder=folder)
            return {file.name: file.read_bytes() for file in folder.iterdir()}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            path.unlink()
            assert list(tmp_path.iterdir()) == []

    return unpack


def inside(folder):
    return {f"{folder}{name}": content for name, content in MODEL.items()}


@pytest.mark.parametrize("folder", ["", "model/", "results/model/"])
def test_a_model_wherever_it_is(zipped, folder):
    assert zipped(inside(folder)) == MODEL


def test_only_known_names_are_taken(zipped):
    more = {
        "model/evil.pkl": b"\x80", "model/.hidden": b"", "other/genes.tsv": b"other", "fractions.tsv": b"x",
        "__MACOSX/model/._config.json": b"x",
    }  # fmt: skip
    assert zipped(inside("model/") | more) == MODEL


def a_link(target):
    entry = zipfile.ZipInfo("model/linked.tsv")
    entry.external_attr = 0o120777 << 16
    return {entry: target}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"../evil.sh": b""}, "'../evil.sh', which is outside"),
        ({"model/../../config.json": b""}, "is outside"),
        ({"/etc/cron.d/evil": b""}, "is outside"),
        ({"..\\evil.bat": b""}, "is outside"),
        ({"C:evil.bat": b""}, "is outside"),
        (a_link("/etc/passwd"), "is outside"),
        ({"second/config.json": b"{}"}, "has 2 models"),
        ({f"{i}": b"" for i in range(1001)}, "1,006 entries"),
        ({"model/genes.tsv": b"0" * 70_000_000}, "would unpack to 70 MB"),
    ],
    ids=["up", "up and in", "absolute", "backslash", "drive", "link", "two", "many", "bomb"],
)
def test_hostile_zip_files(zipped, more, found):
    with pytest.raises(RequestError, match=found):
        zipped(inside("model/") | more)


def test_zip_files_without_a_complete_model(zipped):
    with pytest.raises(RequestError, match="has 0 models"):
        zipped({"a.txt": b""})
    with pytest.raises(RequestError, match=r"Missing: genes\.tsv"):
        zipped({name: content for name, content in MODEL.items() if name != "genes.tsv"})
    with pytest.raises(RequestError, match="cannot be unpacked"):
        zipped(MODEL, change=lambda content: content[:100])


def test_an_entry_that_is_larger_than_declared(zipped):
    def understate(content):
        return content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    with pytest.raises(RequestError, match="cannot be unpacked"):
        zipped(MODEL | {"genes.tsv": b"0" * 1_000_000}, change=understate)


def test_every_file_of_a_model_is_known():
    assert hpvade.model.MODEL_FILES == _upload_checks.MODEL_FILES


TABLE = b"gene\ts1\ts2\n" + b"".join(
    b"GENE%d\t%d\t%d\n" % (i, i * 7919 % 1009, i % 13) for i in range(20_000)
)


@pytest.fixture
def check_content(tmp_path):
    """Check content as a table."""

    def check(content, *, max_bytes=10**9):
        path = tmp_path / "stored"
        path.write_bytes(content)
        check_table(path, name="a.tsv", max_bytes=max_bytes)

    return check


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        gzip.compress(TABLE),
        gzip.compress(TABLE[:5000]) + gzip.compress(TABLE[5000:]) + b"\0" * 100,
        b"\xef\xbb\xbf" + TABLE,
        b"# a comment\n#1.2\n" + TABLE,
        "gene,é\nx,1\n".encode("latin-1"),
        b'"s1" "s2"\n"a" 1 2\n',
    ],
    ids=["plain", "gzip", "two members", "byte-order mark", "comments", "latin-1", "as R writes"],
)
def test_tables(check_content, content):
    check_content(content)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(check_content, protocol):
    content = pickle.dumps({"a": print}, protocol)
    message = "pickle, which can contain a program" if protocol > 1 else "is not a (text )?table"
    for packed in (content, gzip.compress(content)):
        with pytest.raises(RequestError, match=message):
            check_content(packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("gene\ts1\n\x1b".encode("utf-16"), "has another format"),
        (b"PK\x03\x04" + b"\0" * 100, "zip file, or an Excel workbook"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "HDF5"),
        (TABLE + b"a\0b", "has another format"),
        (TABLE * 5 + b"\x1b[2J", "has another format"),
        (b"", "one column"),
        (b"hello\nworld\n", "one column"),
        (gzip.compress(TABLE)[:-20], "ended before the end"),
        (gzip.compress(TABLE)[:50] + b"x" * 50, "cannot be unpacked"),
        (gzip.compress(TABLE)[:-8] + b"x" * 8, "cannot be unpacked"),
        (gzip.compress(TABLE) + b"more", "cannot be unpacked"),
        (gzip.compress(gzip.compress(TABLE)), "has another format"),
    ],
    ids=range(12),
)
def test_files_that_are_not_tables(check_content, content, message):
    with pytest.raises(RequestError, match=message) as error:
        check_content(content)
    assert error.value.status == 415
    assert "'a.tsv'" in str(error.value)


def test_a_bomb_is_never_unpacked_completely(check_content):
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b"1\t" * 500_000) for _ in range(300)) + packer.flush()
    assert len(bomb) < 500_000
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match=r"would unpack to 6\d MB or more") as error:
            check_content(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20  # a few pieces of 1 MiB
    finally:
        tracemalloc.stop()
    assert error.value.status == 413


def test_a_table_above_the_maximum(check_content):
    with pytest.raises(RequestError, match="would unpack to"):
        check_content(gzip.compress(TABLE), max_bytes=100_000)


def test_a_real_sparse_table_is_not_a_bomb(check_content):
    header = b"\t".join([b"gene"] + [b"sample_%d" % i for i in range(2000)]) + b"\n"
    row = b"".join(b"\t%d" % (3 if i % 20 == 0 else 0) for i in range(2000))
    content = header + b"".join(b"GENE%d" % i + row + b"\n" for i in range(20_000))
    packed = gzip.compress(content, 1)
    assert len(content) > 70_000_000
    assert len(content) / len(packed) > 50
    check_content(packed)
