"""Requirements for all plots."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hpvade
from hpvade.pl import _latent_umap
from hpvade.pl._style import GRID, INK, MUTED


def draw(name, make_fractions, history, **given):
    fractions = make_fractions(30)
    bounds = {"lower": fractions * 0.9, "upper": fractions * 1.1}
    wanted = np.array([0.5, 0.9])
    rng = np.random.default_rng(0)
    arguments = {
        "composition": ((fractions,), {}),
        "fraction_intervals": ((fractions,), {"cell_type": "B", "truth": fractions**2, **bounds}),
        "predicted_versus_true": ((fractions**2, fractions), {}),
        "calibration": ((pd.DataFrame({"all types": wanted - 0.1, "B": wanted}, index=wanted),), {}),
        "group_fractions": ((fractions,), {"groups": pd.Series(["a", "b"] * 15, index=fractions.index)}),
        "signature_heatmap": ((pd.DataFrame(rng.gamma(0.4, 500, (60, 3)), columns=list("abc")),), {}),
        "loss_curves": ((history,), {}),
        "latent_umap": ((pd.DataFrame(rng.normal(size=(30, 2))),), {"labels": ["a"] * 30}),
    }
    positional, keywords = arguments[name]
    return getattr(hpvade.pl, name)(*positional, **keywords, **given)


DEFAULT_COLORS = (
    "text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color",
    "xtick.labelcolor", "ytick.labelcolor", "grid.color", "legend.labelcolor", "legend.edgecolor",
    "patch.edgecolor", "lines.color",
)  # fmt: skip
NAMES = [name for name in hpvade.pl.__all__ if name not in ("cell_type_colors", "benchmark_summary")]


@pytest.fixture(autouse=True)
def plain_layout(monkeypatch):
    monkeypatch.setattr(_latent_umap, "_lay_out", lambda points, *, seed: points)


@pytest.mark.parametrize("name", NAMES)
def test_everything_but_data_has_one_of_three_colors(name, make_fractions, history):
    """The report replaces these three on a dark page; other colours would not follow."""
    mpl.rcParams.update(dict.fromkeys(DEFAULT_COLORS, "#ff0000"))  # any use of a default shows
    out = io.StringIO()
    figure = draw(name, make_fractions, history).figure
    figure.savefig(out, format="svg")
    found = set(re.findall(r"#[0-9a-f]{6}\b", out.getvalue()))
    data = set(hpvade.pl.cell_type_colors([*(f"type {i}" for i in range(12)), "unknown"]).values())
    assert INK in found
    assert found <= {INK, MUTED, GRID, "#ffffff"} | data
    assert out.getvalue().count("#ffffff") == 1 + len(figure.axes)  # backgrounds


@pytest.mark.parametrize("name", NAMES)
def test_only_the_given_axes_are_drawn_on(name, make_fractions, history):
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert draw(name, make_fractions, history, ax=left) is left
    assert not right.has_data()
    figure.draw_without_rendering()


@pytest.mark.parametrize("name", NAMES)
def test_a_new_figure_fits_its_contents(name, make_fractions, history):
    axes = draw(name, make_fractions, history)
    figure = axes.figure
    figure.draw_without_rendering()
    whole, tight = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert tight.x0 >= -1
    assert tight.y0 >= -1
    assert tight.x1 <= whole.x1 + 1
    assert tight.y1 <= whole.y1 + 1


def test_neither_umap_nor_pyplot_nor_torch_is_imported():
    code = (
        "import sys, hpvade.pl; unwanted = ('umap', 'torch', 'scanpy', 'lightning', 'matplotlib.pyplot'); "
        "print([name for name in unwanted if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
