"""What may be in an uploaded HDF5 or zip file."""

from __future__ import annotations

import ctypes
import os
import shutil
import time
import zipfile

import h5py
import numpy as np
import pytest

import hpvade
from hpvade.app import _contents
from hpvade.app._contents import check_h5ad, look_at, unpack_model
from hpvade.app._request_error import RequestError

MOST = 10**8
MODEL = {
    "weights.safetensors": b"w" * 100,
    "config.json": b"{}",
    "genes.tsv": b"gene\n",
    "provenance.json": b"{}",
}


@pytest.fixture
def h5ad(tmp_path):
    path = tmp_path / "stored.h5ad"
    hpvade.testing.tiny_reference().write_h5ad(path)
    return path


def check(path, *, dense=False):
    check_h5ad(path, name="mine.h5ad", most_bytes=MOST, dense=dense)


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


def holds_itself(file, _path):
    file["uns/again"] = file["uns"]


def huge(file, _path):
    file.create_dataset("obsm/more", (10**7, 10**4), "f8", chunks=(1000, 1000), compression="gzip")


def many_names_of_one(file, _path):
    file.create_dataset("uns/a", data=np.zeros(10**6), compression="gzip")
    for i in range(20):
        file[f"uns/a{i}"] = file["uns/a"]


def many_parts(file, _path):
    for i in range(25_000):
        file.create_group(f"uns/{i}")


@pytest.mark.parametrize(
    ("spoil", "found", "status"),
    [
        (external_link, "a link to another file", 415),
        (virtual, "whose values are in another file", 415),
        (external_storage, "whose values are in another file", 415),
        (holds_itself, "a group that holds itself", 415),
        (many_parts, "more than 20000 parts", 415),
        (huge, "would unpack to 800.0 GB", 413),
        (many_names_of_one, "would unpack to 168 MB", 413),
    ],
)
def test_spoilt_files(h5ad, spoil, found, status):
    with h5py.File(h5ad, "a") as file:
        spoil(file, h5ad)
    start = time.process_time()
    with pytest.raises(RequestError, match=found) as refused:
        check(h5ad)
    assert refused.value.status == status
    assert "'mine.h5ad'" in str(refused.value)
    assert time.process_time() - start < 5


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
    with pytest.raises(RequestError, match="cannot be read as an h5ad file"):
        check(h5ad)


class TestElsewhere:
    """A file is looked at in another process."""

    def test_it_tells_what_it_found(self, h5ad):
        look_at(check_h5ad, h5ad, name="a", most_bytes=MOST, dense=True)
        with pytest.raises(RequestError, match="would unpack to") as refused:
            look_at(check_h5ad, h5ad, name="a", most_bytes=10, dense=True)
        assert refused.value.status == 413

    def test_a_crash_there_is_a_refusal(self):
        with pytest.raises(RequestError, match=r"could not be looked at.* exit code -11"):
            look_at(ctypes.string_at, 0)

    @pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux keeps to the limit of memory")
    def test_more_memory_than_it_may_take(self):
        look_at(bytes, 2**30)
        with pytest.raises(RequestError, match="exit code 1"):
            look_at(bytes, 5 * 2**30)  # zeros, which take no memory before they are looked at


@pytest.fixture
def zipped(tmp_path):
    """Write a zip file and unpack it as a model; returns what was unpacked."""

    def unpack(files, *, most_bytes=MOST, change=None):
        path = tmp_path / "model.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        if change is not None:
            path.write_bytes(change(path.read_bytes()))
        folder = tmp_path / "model"
        try:
            unpack_model(path, name="mine.zip", most_bytes=most_bytes, folder=folder)
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
        "__MACOSX/model/._config.json": b"x", "model/heldout.tsv": b"h",
    }  # fmt: skip
    assert zipped(inside("model/") | more) == MODEL | {"heldout.tsv": b"h"}


def a_link(target):
    entry = zipfile.ZipInfo("model/heldout.tsv")
    entry.external_attr = 0o120777 << 16
    return {entry: target}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"../evil.sh": b""}, "'../evil.sh', which leads out"),
        ({"model/../../config.json": b""}, "leads out"),
        ({"/etc/cron.d/evil": b""}, "leads out"),
        ({"..\\evil.bat": b""}, "leads out"),
        ({"C:evil.bat": b""}, "leads out"),
        (a_link("/etc/passwd"), "leads out"),
        ({"second/config.json": b"{}"}, "holds 2 models"),
        ({f"{i}": b"" for i in range(1001)}, "1005 entries"),
        ({"model/heldout.tsv": b"0" * 70_000_000}, "would unpack to 70 MB"),
    ],
    ids=["up", "up and in", "absolute", "backslash", "drive", "link", "two", "many", "bomb"],
)
def test_hostile_zip_files(zipped, more, found):
    with pytest.raises(RequestError, match=found):
        zipped(inside("model/") | more)


def test_what_is_no_model(zipped):
    with pytest.raises(RequestError, match="holds 0 models"):
        zipped({"a.txt": b""})
    with pytest.raises(RequestError, match=r"genes\.tsv is missing"):
        zipped({name: content for name, content in MODEL.items() if name != "genes.tsv"})
    with pytest.raises(RequestError, match="cannot be unpacked"):
        zipped(MODEL, change=lambda content: content[:100])


def test_an_entry_that_holds_more_than_it_says(zipped):
    def understate(content):
        return content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    with pytest.raises(RequestError, match="cannot be unpacked"):
        zipped(MODEL | {"heldout.tsv": b"0" * 1_000_000}, change=understate)


def test_every_file_of_a_model_is_known(reference, tmp_path):
    hpvade.HPVADE(reference, preset="fast").save(tmp_path / "model")
    written = {path.name for path in (tmp_path / "model").iterdir()}
    assert set(_contents._NEEDED) <= written <= set(_contents.MODEL_FILES)
