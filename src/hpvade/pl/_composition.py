"""Composition of samples as stacked bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial import KDTree

from hpvade._errors import InputError
from hpvade.pl import _style
from hpvade.pl._input import fraction_table, names_of, require
from hpvade.pl._palette import cell_type_colors

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_HEIGHT = 3.2  # inches
_NAMES_HEIGHT = 0.9
_MIN_WIDTH, _MAX_WIDTH = 1.6, 7.0  # inches of the axes
_MAX_BARS = 60  # more are drawn without gaps
_BAR_WIDTH = 0.86
_MAX_CLUSTERED = 500
_MAX_SUM = 1.02  # allows for rounding


def composition(fractions: pd.DataFrame, *, order: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the composition of samples as stacked bars, the first cell type at the bottom.

    More than 60 samples are drawn without gaps between the bars. A sample with a missing value is left empty.

    Parameters
    ----------
    fractions
        Samples × cell types; a row sums to 1, or to less if some types are excluded.
    order
        Order of the samples. None: as given. ``"clustered"``: similar samples side by side (average linkage
        of Euclidean distances, optimal leaf order). A cell type: by its fraction, the largest first, with
        this type at the bottom. Of more than 500 samples, 500 evenly spaced in the table are clustered, and
        every other sample is placed next to the most similar of these.
    ax
        Axes to draw on. Default: those of a new figure. The legend is to the right of the axes;
        ``layout="constrained"`` makes room for it.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There is nothing to draw, a fraction is negative, a row sums to more than 1, or ``order`` is not a
        cell type.
    """
    table = fraction_table(fractions, name="fractions")
    _check_sums(table)
    colors = cell_type_colors(names_of(table))
    table = _ordered(table, order=order)
    stacked = names_of(table)
    n_columns, legend_width = _style.legend_size(stacked, height=_HEIGHT)
    width = min(max(_MIN_WIDTH, len(table) * _style.TICK), _MAX_WIDTH)
    if ax is None:
        height = _HEIGHT + 0.2 + _NAMES_HEIGHT * _style.names_fit(len(table), width=width)
        ax = _style.axes_or_new(None, width=width + legend_width + 0.6, height=height)
    else:
        width = _style.axes_width(ax)
    _style.dress(ax, y="Fraction of cells")
    _stack(ax, table, colors=colors)
    _style.name_samples(ax, [str(name) for name in table.index], width=width)
    handles = [Patch(color=colors[name], label=_style.readable(name)) for name in reversed(stacked)]
    _style.legend_beside(ax, handles, n_columns=n_columns)
    return ax


def _check_sums(table: pd.DataFrame) -> None:
    values = table.to_numpy()
    complete = np.isfinite(values).all(1)
    if not complete.any():
        msg = "fractions has missing values in every sample, so there is nothing to draw."
        raise InputError(msg)
    wrong = complete & ((values < 0).any(1) | (values.sum(1) > _MAX_SUM))
    if wrong.any():
        first = int(np.argmax(wrong))
        msg = (
            f"Sample '{table.index[first]}' of fractions is not a composition: its values are "
            f"{values[first].min():.3g} to {values[first].max():.3g} and sum to {values[first].sum():.3g}. "
            "Fractions must not be negative and must sum to 1; divide percentages by 100."
        )
        raise InputError(msg)


def _ordered(table: pd.DataFrame, *, order: str | None) -> pd.DataFrame:
    if order is None:
        return table
    if order == "clustered":
        return table.iloc[clustered_order(table.to_numpy())]
    types = names_of(table)
    require(order, types, what="cell type", place="fractions")
    columns = [order, *(name for name in types if name != order)]
    return table.sort_values(order, ascending=False, kind="stable")[columns]


def clustered_order(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return an order of the rows that puts similar ones side by side, rows with missing values last."""
    complete = np.flatnonzero(np.isfinite(values).all(1))
    rest = np.setdiff1d(np.arange(len(values)), complete)
    if len(complete) < 3:
        return np.concatenate([complete, rest])
    n_clustered = min(len(complete), _MAX_CLUSTERED)
    clustered = complete[np.unique(np.linspace(0, len(complete) - 1, n_clustered).astype(int))]
    leaves = clustered[leaves_list(linkage(values[clustered], method="average", optimal_ordering=True))]
    distance, nearest = KDTree(values[leaves]).query(values[complete])
    return np.concatenate([complete[np.lexsort(np.stack([distance, nearest]))], rest])


def _stack(ax: Axes, table: pd.DataFrame, *, colors: dict[str, str]) -> None:
    """Draw bars, or for many samples one outline per type."""
    n_samples = len(table)
    values = table.where(table.notna().all(axis=1)).to_numpy()
    tops = np.cumsum(values, axis=1)
    ax.set_xlim(-0.5 - 0.02 * min(n_samples, 10), n_samples - 0.5)
    ax.set_ylim(0, 1)
    for k, name in reversed(list(enumerate(names_of(table)))):
        if n_samples <= _MAX_BARS:
            bottom = tops[:, k] - values[:, k]
            ax.bar(np.arange(n_samples), values[:, k], _BAR_WIDTH, bottom, color=colors[name], linewidth=0)
        else:
            # Each outline starts at 0 and the next covers it, from the top down: no seams between types.
            outline = ax.stairs(tops[:, k], np.arange(n_samples + 1) - 0.5, fill=True, color=colors[name])
            outline.set(linewidth=0, rasterized=_style.is_rasterized(n_samples))
