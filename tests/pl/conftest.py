"""Data for plots, and their comparison with the pictures in ``baseline/``.

After an intended change to a plot, renew the pictures and look at each one:
``HPVADE_RENEW_PICTURES=1 pytest tests/pl/test_pictures.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.testing.compare import compare_images
from PIL import Image

BASELINE = Path(__file__).parent / "baseline"
DPI = 60
VERSION = f"Matplotlib {'.'.join(mpl.__version__.split('.')[:2])}"
# Root mean square over pixels, 0 to 255. A different letter or colour gives 2 or more, interval lines that
# are a fifth thinner 1.2.
TOLERANCE = 1.0


@pytest.fixture(autouse=True)
def plain_style():
    """Use the defaults of Matplotlib, including its font, whatever the local matplotlibrc."""
    with mpl.rc_context():
        mpl.rcdefaults()
        yield


@pytest.fixture
def check_picture(tmp_path):
    def check(axes, name):
        expected, found = BASELINE / f"{name}.png", tmp_path / f"{name}.png"
        renew = bool(os.environ.get("HPVADE_RENEW_PICTURES"))
        figure = axes.get_figure(root=True)
        figure.savefig(expected if renew else found, dpi=DPI, metadata={"Software": VERSION})
        if renew:
            pytest.skip(f"renewed {expected}")
        with Image.open(expected) as picture:
            if (drawn_with := picture.info["Software"]) != VERSION:
                pytest.skip(f"{expected} was drawn with {drawn_with}; {VERSION} renders text differently")
        assert compare_images(expected, found, tol=TOLERANCE) is None

    return check


@pytest.fixture
def make_fractions():
    """Return fractions of ``n`` samples, the same in every call."""

    def make(n=12, types=("B", "CD4 T", "CD8 T", "NK"), *, seed=0):
        rng = np.random.default_rng(seed)
        names = [f"sample_{i + 1}" for i in range(n)]
        return pd.DataFrame(rng.dirichlet(np.ones(len(types)), n), index=names, columns=list(types))

    return make


@pytest.fixture
def history():
    """A history like `HPVADE.history`, 12 epochs."""
    epoch = np.arange(12)
    terms = ("loss", "loss_recon", "loss_kl", "loss_proto", "loss_prop", "loss_bulk_recon")
    columns = {
        f"{phase}_{term}": 1 + i + shift + 4 * np.exp(-epoch / (3 + i))
        for i, term in enumerate(terms)
        for phase, shift in (("train", 0), ("val", 0.5 + 0.001 * (epoch - 9) ** 2))
    }
    return pd.DataFrame({"epoch": epoch} | columns | {"val_r_type": 0.9 - 0.5 * np.exp(-epoch / 4)})
