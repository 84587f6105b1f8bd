"""What each sample is made of."""

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
_NARROWEST, _WIDEST = 1.6, 7.0  # inches of the axes
_MOST_BARS = 60  # that stand apart
_BAR_WIDTH = 0.86
_MOST_CLUSTERED = 500
_LARGEST_SUM = 1.02  # with room for rounding


def composition(fractions: pd.DataFrame, *, order: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the composition of samples as stacked bars, the first cell type at the bottom.

    More than 60 samples are drawn without gaps between the bars. A sample with a missing value stays empty.

    Parameters
    ----------
    fractions
        Samples × cell types; a row sums to 1, or to less where not all of a sample is told.
    order
        Of the samples: None, as given; ``"clustered"``, similar ones side by side (average linkage of
        Euclidean distances, leaves in the optimal order); or a cell type: by its fraction, the largest first,
        with this type at the bottom. Of more than 500 samples, 500 at even distances in the table are
        clustered, and each other one stands beside that of them which it is most like.
    ax
        Axes to draw on. Default: those of a new figure. The legend stands to their right, for which a figure
        with ``layout="constrained"`` makes room.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There is nothing to draw, a fraction is negative, a row sums to more than 1, or ``order`` is no cell
        type.
    """
    table = fraction_table(fractions, name="fractions")
    _check_sums(table)
    colors = cell_type_colors(names_of(table))
    table = _ordered(table, order=order)
    stacked = names_of(table)
    n_columns, legend_width = _style.legend_size(stacked, height=_HEIGHT)
    width = min(max(_NARROWEST, len(table) * _style.TICK), _WIDEST)
    if ax is None:
        height = _HEIGHT + 0.2 + _NAMES_HEIGHT * _style.names_fit(len(table), width=width)
        ax = _style.axes_or_new(None, width=width + legend_width + 0.6, height=height)
    else:
        width = _style.width_of(ax)
    _style.dress(ax, y="Fraction of cells")
    _stack(ax, table, colors=colors)
    _style.name_samples(ax, [str(name) for name in table.index], width=width)
    handles = [Patch(color=colors[name], label=_style.readable(name)) for name in reversed(stacked)]
    _style.legend_beside(ax, handles, n_columns=n_columns)
    return ax


def _check_sums(table: pd.DataFrame) -> None:
    values = table.to_numpy()
    whole = np.isfinite(values).all(1)
    if not whole.any():
        msg = "fractions has missing values in every sample. There is nothing to draw."
        raise InputError(msg)
    wrong = whole & ((values < 0).any(1) | (values.sum(1) > _LARGEST_SUM))
    if wrong.any():
        first = int(np.argmax(wrong))
        msg = (
            f"Sample '{table.index[first]}' of fractions is no composition: its values are "
            f"{values[first].min():.3g} to {values[first].max():.3g} and sum to {values[first].sum():.3g}. "
            "Fractions are not negative and sum to 1; divide percentages by 100."
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
    """Order of the rows of ``values``; those with missing values come last."""
    whole = np.flatnonzero(np.isfinite(values).all(1))
    rest = np.setdiff1d(np.arange(len(values)), whole)
    if len(whole) < 3:
        return np.concatenate([whole, rest])
    some = whole[np.unique(np.linspace(0, len(whole) - 1, min(len(whole), _MOST_CLUSTERED)).astype(int))]
    leaves = some[leaves_list(linkage(values[some], method="average", optimal_ordering=True))]
    distance, nearest = KDTree(values[leaves]).query(values[whole])
    return np.concatenate([whole[np.lexsort(np.stack([distance, nearest]))], rest])


def _stack(ax: Axes, table: pd.DataFrame, *, colors: dict[str, str]) -> None:
    """Draw the bars, or for many samples one outline for each type."""
    n_samples = len(table)
    values = table.where(table.notna().all(axis=1)).to_numpy()
    tops = np.cumsum(values, axis=1)
    ax.set_xlim(-0.5 - 0.02 * min(n_samples, 10), n_samples - 0.5)
    ax.set_ylim(0, 1)
    for k, name in reversed(list(enumerate(names_of(table)))):
        if n_samples <= _MOST_BARS:
            bottom = tops[:, k] - values[:, k]
            ax.bar(np.arange(n_samples), values[:, k], _BAR_WIDTH, bottom, color=colors[name], linewidth=0)
        else:
            # From the top down, each outline from 0 and the next over it: no seams between types.
            outline = ax.stairs(tops[:, k], np.arange(n_samples + 1) - 0.5, fill=True, color=colors[name])
            outline.set(linewidth=0, rasterized=_style.as_picture(n_samples))
