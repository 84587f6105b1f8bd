"""Whether intervals hold the truth as often as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MultipleLocator, PercentFormatter

from hpvade._errors import InputError
from hpvade._keys import ALL_TYPES
from hpvade.pl import _style
from hpvade.pl._input import names_of, table_of_numbers
from hpvade.pl._palette import COLORS, UNKNOWN_COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 3.4  # inches


def calibration(coverage: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw which share of intervals holds the truth, against the share that should.

    A line below the diagonal belongs to intervals that are too narrow, one above it to intervals that are
    too wide. The plot says where the line of all types is furthest off, and which cell type is. Missing
    values are not drawn.

    Parameters
    ----------
    coverage
        Observed coverage, 0 to 1. Index: wanted coverage, 0 to 1. Columns: ``"all types"``, drawn strong, and
        cell types, drawn faint; one of the two may be absent.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There is nothing to draw, or a value of the index or the table is not between 0 and 1.
    """
    table = _checked(coverage)
    types = table.drop(columns=ALL_TYPES, errors="ignore")
    ax = _style.axes_or_new(ax, width=_SIDE, height=_SIDE)
    _style.dress(ax, x="Wanted coverage", y="Observed coverage", grid="both")
    _style.diagonal(ax, end=1)
    for k, name in enumerate(names_of(types)):
        (line,) = ax.plot(types.index, types[name], color=UNKNOWN_COLOR, linewidth=1, alpha=0.65, zorder=2)
        line.set(marker="o", markersize=1.6)
        if k == 0:
            line.set_label(f"each of {types.shape[1]} cell types" if types.shape[1] > 1 else name)
    text = muted = ""
    if ALL_TYPES in table:
        (line,) = ax.plot(table.index, table[ALL_TYPES], color=COLORS[0], linewidth=2.2, label=ALL_TYPES)
        line.set(marker="o", markersize=4.5, zorder=3, clip_on=False)
        text = _furthest_off(table[[ALL_TYPES]])
    if types.shape[1]:
        muted = _furthest_off(types)
    _style.corner_text(ax, text, muted=muted)
    ax.set(xlim=(0, 1.005), ylim=(0, 1.005), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MultipleLocator(0.25))
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    _style.legend_inside(ax, "lower right", reverse=True)
    return ax


def _checked(coverage: pd.DataFrame) -> pd.DataFrame:
    """Sort the table by wanted coverage, without columns that know nothing."""
    table = table_of_numbers(coverage, name="coverage", rows="wanted coverages", columns="names")
    table = table.dropna(axis="columns", how="all")
    wanted = pd.to_numeric(pd.Series(table.index), errors="coerce").to_numpy(np.float64)
    values = table.to_numpy()
    for what, given in (("index", wanted), ("table", values[~np.isnan(values)])):
        if not (given.size and ((given >= 0) & (given <= 1)).all()):
            msg = (
                f"The {what} of coverage must hold shares from 0 to 1: wanted ones in the index, observed "
                "ones in the columns. Divide percentages by 100."
            )
            raise InputError(msg)
    return table.set_axis(wanted).sort_index()


def _furthest_off(table: pd.DataFrame) -> str:
    """Say where observed coverage is furthest from wanted coverage."""
    off = table.to_numpy() - table.index.to_numpy()[:, None]
    row, column = divmod(int(np.nanargmax(np.abs(off))), off.shape[1])
    points = f"{100 * off[row, column]:+.1f}".replace("-", "\N{MINUS SIGN}")
    name = _style.shortened(table.columns[column])
    return f"{name}: {points} points at {100 * table.index[row]:.3g} %"
