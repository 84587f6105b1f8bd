"""The page, the help and the local page list the formats that are read, from the same records."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpvade._formats import BULK_FORMATS, COMPRESSIONS, REFERENCE_FORMATS, UNREADABLE, endings
from hpvade.cli import app

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("formats_page", DOCS / "formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes(script):
    assert script.page() == (DOCS / "formats.md").read_text()


def test_the_page_has_a_line_for_every_format():
    lines = (DOCS / "formats.md").read_text().splitlines()
    for known in (*BULK_FORMATS, *REFERENCE_FORMATS):
        (line, *_) = [
            line for line in lines if line.startswith(f"| {known.title} |") and known.content in line
        ]
        assert all(f"`{ending}`" in line for ending in known.endings)
        assert known.made_by in line
        assert re.search(rf"`hpvade validate .*{re.escape(known.example)}`", line)
    for known in UNREADABLE.values():
        assert f"| {known.title} | {known.remedy} | {known.for_reference} |" in lines


@pytest.mark.parametrize(
    ("command", "formats"),
    [
        ("validate", (*BULK_FORMATS, *REFERENCE_FORMATS)),
        ("run", (*BULK_FORMATS, *REFERENCE_FORMATS)),
        ("train", (*BULK_FORMATS, *REFERENCE_FORMATS)),
        ("preprocess", REFERENCE_FORMATS),
        ("deconvolve", BULK_FORMATS),
    ],
)
def test_the_help_names_every_format(command, formats):
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    shown = "".join(done.output.split())  # without the ends of lines
    for known in formats:
        assert known.title.replace(" ", "") in shown


def test_endings_of_compressed_text():
    found = endings(BULK_FORMATS)
    assert len(set(found)) == len(found)
    assert {f".tsv{more}" for more in ("", *COMPRESSIONS)} <= set(found)
    assert ".h5ad" in found
    assert ".h5ad.gz" not in found
