"""Observed versus nominal coverage of intervals."""

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
    """Draw the observed against the nominal coverage of intervals.

    Intervals are too narrow if their line is below the diagonal and too wide if it is above. The text gives
    the largest deviation over all types and the largest deviation of a single cell type. Missing values are
    not drawn.

    Parameters
    ----------
    coverage
        Observed coverage, 0 to 1. Index: nominal coverage, 0 to 1. Columns: ``"all types"``, a bold line, and
        cell types, faint lines; either may be absent.
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
    _style.dress(ax, x="Nominal coverage", y="Observed coverage", grid="both")
    _style.diagonal(ax, end=1)
    for k, name in enumerate(names_of(types)):
        (line,) = ax.plot(types.index, types[name], color=UNKNOWN_COLOR, linewidth=1, alpha=0.65, zorder=2)
        line.set(marker="o", markersize=1.6)
        if k == 0:
            line.set_label(f"single cell types ({types.shape[1]})" if types.shape[1] > 1 else name)
    text = muted = ""
    if ALL_TYPES in table:
        (line,) = ax.plot(table.index, table[ALL_TYPES], color=COLORS[0], linewidth=2.2, label=ALL_TYPES)
        line.set(marker="o", markersize=4.5, zorder=3, clip_on=False)
        text = _largest_deviation(table[[ALL_TYPES]])
    if types.shape[1]:
        muted = _largest_deviation(types)
    _style.corner_text(ax, text, muted=muted)
    ax.set(xlim=(0, 1.005), ylim=(0, 1.005), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MultipleLocator(0.25))
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    _style.legend_inside(ax, "lower right", reverse=True)
    return ax


def _checked(coverage: pd.DataFrame) -> pd.DataFrame:
    """Sort the table by nominal coverage and drop empty columns."""
    table = table_of_numbers(coverage, name="coverage", rows="nominal coverages", columns="names")
    table = table.dropna(axis="columns", how="all")
    nominal = pd.to_numeric(pd.Series(table.index), errors="coerce").to_numpy(np.float64)
    values = table.to_numpy()
    for what, shares in (("index", nominal), ("table", values[~np.isnan(values)])):
        if not (shares.size and ((shares >= 0) & (shares <= 1)).all()):
            msg = (
                f"The {what} of coverage must contain values from 0 to 1: nominal coverage in the index, "
                "observed coverage in the columns. Divide percentages by 100."
            )
            raise InputError(msg)
    return table.set_axis(nominal).sort_index()


def _largest_deviation(table: pd.DataFrame) -> str:
    """Describe the largest difference between observed and nominal coverage."""
    deviation = table.to_numpy() - table.index.to_numpy()[:, None]
    row, column = divmod(int(np.nanargmax(np.abs(deviation))), deviation.shape[1])
    points = f"{100 * deviation[row, column]:+.1f}".replace("-", "\N{MINUS SIGN}")
    name = _style.shortened(table.columns[column])
    return f"{name}: {points} points at {100 * table.index[row]:.3g}%"
