"""The gallery shows every plot, with the code that is run to draw it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import hpvade

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes(gallery):
    assert gallery.page() == (DOCS / "gallery.md").read_text()
    drawn = {path.stem for path in (DOCS / "gallery").glob("*.png")}
    assert drawn == {plot.name for plot in gallery.PLOTS}


def test_every_plot_is_there(gallery):
    shown = "".join(plot.code for plot in gallery.PLOTS)
    for name in set(hpvade.pl.__all__) - {"cell_type_colors"}:
        assert f"hpvade.pl.{name}(" in shown
    assert all(plot.code.strip().count("\n") <= 2 for plot in gallery.PLOTS)
    assert all(path.stat().st_size < gallery.LARGEST for path in (DOCS / "gallery").glob("*.png"))


def test_a_picture_that_is_too_large_is_refused(gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "LARGEST", 100)
    with pytest.raises(SystemExit, match="more than 100"):
        gallery.shrink(DOCS / "gallery" / "composition.png", tmp_path / "small.png")
