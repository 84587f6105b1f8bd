"""Forms with files, as browsers send them and as attackers do."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import pickle
import socket
import tempfile
import zipfile
import zlib

import h5py
import pandas as pd
import pytest

from hpvade._formats import BULK_FORMATS
from hpvade.app import _uploads
from hpvade.app._selection import list_sources

TABLE = b"gene\ts1\ts2\nCD3E\t1\t2\n"


def bomb():
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(b"1\t" * 500_000) for _ in range(100)) + packer.flush()


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def declares_too_much():
    file = io.BytesIO()
    with h5py.File(file, "w") as stored:
        stored.create_dataset("X", (10**7, 10**5), "f4", chunks=(100, 100), compression="gzip")
    return file.getvalue()


def parquet_bomb():
    file = io.BytesIO()
    pd.DataFrame({f"s{i}": [0.0] * 1_000_000 for i in range(20)}).to_parquet(file)
    return file.getvalue()


PICKLE = pickle.dumps({"a": print})

IS_PICKLE = "it looks like a Python pickle"
NOT_A_NAME = "is not a plain file name"
ZIP_BOMB = {
    "config.json": "{}",
    "genes.tsv": b"0" * 80_000_000,
    "validation.tsv": "",
    "provenance.json": "{}",
    "weights.safetensors": "",
}

HOSTILE = {
    "a pickle called h5ad": ("reference", "cells.h5ad", PICKLE, 415, f"is not an HDF5 file: {IS_PICKLE}"),
    "a pickle called zip": ("reference", "model.zip", PICKLE, 415, f"is not a zip file: {IS_PICKLE}"),
    "a pickle called tsv": ("bulk", "bulk.tsv", PICKLE, 415, IS_PICKLE),
    "a pickle called tsv.gz": ("bulk", "bulk.tsv.gz", gzip.compress(PICKLE), 415, IS_PICKLE),
    "a pickle of text": ("bulk", "bulk.tsv", b"cos\nsystem\n(S'true'\ntR.", 415, "is not a table"),
    "a pickle called pickle": (
        "bulk",
        "bulk.pkl",
        PICKLE,
        415,
        "cannot be used here. Expected a file name that",
    ),
    "an empty file": ("reference", "cells.h5ad", b"", 415, "is not an HDF5 file"),
    "a gzip bomb": ("bulk", "bulk.tsv.gz", bomb(), 413, "would unpack to"),
    "a gzip bomb called tsv": ("bulk", "bulk.tsv", bomb(), 413, "would unpack to"),
    "a zip bomb": ("reference", "model.zip", zipped(ZIP_BOMB), 413, "would unpack to"),
    "a bzip2 bomb": ("bulk", "bulk.tsv.bz2", bz2.compress(b"1\t" * 100_000_000), 413, "would unpack to"),
    "an Excel bomb": (
        "bulk",
        "bulk.xlsx",
        zipped({"xl/workbook.xml": b"0" * 80_000_000}),
        413,
        "would unpack to",
    ),
    "a zip called xlsx": ("bulk", "bulk.xlsx", zipped({"a": "b"}), 415, "is not an Excel workbook"),
    "a pickle called parquet": ("bulk", "bulk.parquet", PICKLE, 415, f"is not a Parquet file: {IS_PICKLE}"),
    "half a Parquet file": (
        "bulk",
        "bulk.parquet",
        b"PAR1" + bytes(100),
        415,
        "cannot be read as a Parquet file",
    ),
    "a Parquet bomb": ("bulk", "bulk.parquet", parquet_bomb(), 413, "would unpack to"),
    "a truncated xz file": (
        "bulk",
        "bulk.tsv.xz",
        lzma.compress(TABLE * 900)[:-30],
        415,
        "cannot be unpacked",
    ),
    "a zip with a path outside": (
        "reference",
        "model.zip",
        zipped({"../../evil.py": "x"}),
        415,
        "is outside the zip file's own folder",
    ),
    "endless arrays": ("reference", "cells.h5ad", declares_too_much(), 413, "would unpack to 4000.0 GB"),
    "a path": ("bulk", "../../../etc/passwd.tsv", TABLE, 400, NOT_A_NAME),
    "an absolute path": ("bulk", "/etc/cron.d/a.tsv", TABLE, 400, NOT_A_NAME),
    "a Windows path": ("bulk", "..\\..\\a.tsv", TABLE, 400, NOT_A_NAME),
    "a name with a hidden character": ("bulk", "a\u202etsv.exe.tsv", TABLE, 400, NOT_A_NAME),
    "an endless name": ("bulk", "a" * 300 + ".tsv", TABLE, 400, NOT_A_NAME),
    "a field without files": ("seed", "a.tsv", TABLE, 400, "The field 'seed' does not accept a file"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(site, case):
    field, name, content, status, message = HOSTILE[case]
    before = site.session.selection
    answer = site.upload({field: (name, content)})
    assert answer.status == status
    assert message in answer.plain
    assert "Back to the data" in answer.plain
    assert site.upload({field: (name, content)}, {"accept": "application/json"}).message in answer.plain
    assert site.left() == []
    assert site.session.selection == before


def test_every_format_of_a_bulk_file_can_be_uploaded():
    for known in BULK_FORMATS:
        packed = (".gz", ".bz2", ".xz") if known.is_text else ()
        for ending in known.endings if known.name != "zarr" else ():  # zarr is a folder
            assert {ending, *(ending + more for more in packed)} <= set(_uploads.BULK_ENDINGS)


@pytest.mark.parametrize(
    "name", ["bulk.xlsx", "bulk.parquet", "bulk.tsv.bz2", "bulk.sf.xz", "bulk.tab", "u.txt"]
)
def test_formats_besides_plain_text(site, tmp_path, name):
    table = pd.DataFrame({"s1": [1.5, 2.5]}, index=pd.Index(["CD3E", "ACTB"], name="gene"))
    path = tmp_path / name
    match path.suffix:
        case ".xlsx":
            table.to_excel(path)
        case ".parquet":
            table.to_parquet(path)
        case ".txt":
            path.write_bytes(table.to_csv(sep="\t").encode("utf-16"))
        case suffix:
            packer = {".bz2": bz2.compress, ".xz": lzma.compress}.get(suffix, bytes)
            path.write_bytes(packer(table.to_csv(sep="\t").encode()))
    answer = site.upload({"bulk": (name, path.read_bytes())})
    assert "Select a reference" in answer.plain  # the bulk table itself was accepted
    assert len(site.left()) == 1
    site.post("/start-over")


def test_html_in_the_name_of_a_file(site):
    name = "<img src=x onerror=alert(1)>.tsv"
    answer = site.upload({"bulk": (name, TABLE)})
    assert (answer.status, answer.plain.count("Select a reference")) == (400, 1)
    page = site.get("/")
    assert "&lt;img src=x onerror=alert(1)&gt;.tsv" in page.text
    assert "<img src=x" not in page.text
    refused = site.upload({"bulk": (name[:-3] + "exe", TABLE)})
    assert "<img src=x" not in refused.text
    assert "&lt;img src=x" in refused.text
    assert site.post("/start-over").status == 303


def test_the_name_on_disk_has_plain_letters_only(site):
    site.upload({"bulk": ("Käse; rm -rf $HOME (1).Tsv.GZ", gzip.compress(TABLE))})
    (file,) = site.session.folder.glob("*/*.[tT]sv*")
    assert file.name == "K_se_rm_-rf_HOME_1.tsv.gz"
    assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0
    site.upload({"bulk": ("---.tsv", TABLE)})
    (file,) = site.session.folder.glob("*/*.[tT]sv*")  # the previous file is deleted
    assert file.name == "---.tsv"
    site.post("/start-over")
    assert site.left() == []


def test_a_refused_form_does_not_change_the_selection(site):
    site.upload({"bulk": ("good.tsv", TABLE)})
    selection = site.session.selection
    assert site.upload({"bulk": ("bad.tsv", PICKLE), "label_map": ("map.tsv", TABLE)}).status == 415
    assert site.upload({"label_map": ("map.tsv", TABLE)}, seed="minus one").status == 400
    assert site.session.selection == selection
    assert len(site.left()) == 1
    assert site.upload(reference_choice="", bulk_choice="").status == 400
    assert site.left() == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": "-1"}, "'seed' cannot be '-1'"),
        ({"seed": "1e3"}, "'seed' cannot be '1e3'"),
        ({"min_cells": "1"}, "whole number from 4"),
        ({"preset": "seed"}, "Use one of default, fast"),
        ({"bulk_unit": "<b>"}, "'bulk_unit' cannot be '<b>'"),
        ({"labels_key": "x" * 300}, "has 300 characters"),
        ({"reference_choice": "reference:../../secret.h5ad"}, "is no longer in"),
        ({"reference_choice": "bulk:bulk.tsv"}, "is no longer in"),
        ({"note": "x" * 20_000}, "Part exceeded maximum size"),
        ({f"field{i}": "" for i in range(50)}, "Maximum number of fields is 40"),
    ],
)
def test_invalid_options(site, fields, message):
    answer = site.upload(**fields)
    assert answer.status == 400
    assert message in answer.plain


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "text/plain"), (b"x", "multipart/form-data"), (b"no form", "multipart/form-data; boundary=b")],
)
def test_invalid_forms(site, body, kind):
    assert site.ask("POST", "/check", body, content_type=kind).status == 400
    assert site.left() == []


def begin_upload(site):
    """Send the first half of an upload, and keep the connection."""
    body, kind = site.multipart({"bulk": ("slow.tsv", TABLE * 1000)}, {})
    web = socket.create_connection(("127.0.0.1", site.address.port))
    headers = {
        "host": "localhost", "origin": "http://localhost", "content-type": kind, "content-length": len(body),
    } | site.cookie  # fmt: skip
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    web.sendall(f"POST /check HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body[:10_000])
    return web


def test_an_interrupted_upload_leaves_nothing(site):
    with begin_upload(site):
        site.until(lambda: site.session.uploading)
    site.until(lambda: not site.session.uploading)
    assert site.left() == []


def test_a_full_disk(site, monkeypatch):
    def write(_file, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", write)
    answer = site.upload({"bulk": ("a.tsv", TABLE)})
    assert answer.status == 507
    assert "The disk of temporary files is full" in answer.plain
    assert site.left() == []
    assert not site.session.uploading


def test_a_disk_that_is_full_when_a_file_is_kept(site, monkeypatch):
    def copy(_source, target):
        target.write(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hpvade.app._uploads.shutil.copyfileobj", copy)
    assert site.upload({"bulk": ("a.tsv", TABLE)}).status == 507
    assert site.left() == []


def test_two_uploads_at_once(site):
    with begin_upload(site):
        site.until(lambda: site.session.uploading)
        answer = site.upload({"bulk": ("b.tsv", TABLE)})
        assert answer.status == 409
        assert "Another upload is in progress" in answer.plain
    site.until(lambda: not site.session.uploading)


def test_pages_before_there_are_results(site):
    site.post("/start-over")
    assert site.get("/check").headers["location"] == "/"
    assert site.get("/run").headers["location"] == "/check"
    for path in ("/report", "/download", "/download/fractions.tsv", "/download/../../etc/passwd"):
        assert site.get(path).status == 404
    assert site.get("/static/../_routes.py").status == 404
    assert site.get("/static/%2e%2e/_routes.py").status == 404
    assert site.post("/run", check=1).status == 409
    assert site.post("/cancel").status == 303


def test_files_of_the_folder_are_listed_by_kind(site):
    page = site.get("/").text
    assert 'value="reference:reference.h5ad"' in page
    assert 'value="bulk:bulk.tsv"' in page
    assert "notes.pdf" not in page


def test_links_out_of_the_folder_are_not_listed(tmp_path):
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    data.mkdir()
    (elsewhere / "secret.tsv").write_text("a\tb\n")
    (data / "own.tsv").write_text("a\tb\n")
    (data / "linked.tsv").symlink_to(data / "own.tsv")
    (data / "out.tsv").symlink_to(elsewhere / "secret.tsv")
    (data / "loop.tsv").symlink_to(data / "loop.tsv")
    assert {source.name for source in list_sources(data)} == {"own.tsv", "linked.tsv", "loop.tsv"}
