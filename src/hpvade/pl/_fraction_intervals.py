"""Fractions of one cell type with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hpvade._errors import InputError
from hpvade.pl import _style
from hpvade.pl._input import fraction_table, like, names_of, require
from hpvade.pl._palette import COLORS, cell_type_colors

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_HEIGHT = 2.9  # inches
_NAMES_HEIGHT = 0.8
_MIN_WIDTH, _MAX_WIDTH = 2.4, 6.6
_LEGEND_WIDTH = 0.9
_MAX_BARS = 80  # more intervals become a band
_MIN_TOP = 0.05  # of the vertical axis


class _Sorted(NamedTuple):
    """Fractions of a type without missing values, in ascending order; bounds and truth may be NaN."""

    samples: list[str]
    fraction: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    truth: NDArray[np.float64]


def fraction_intervals(
    fractions: pd.DataFrame,
    *,
    lower: pd.DataFrame,
    upper: pd.DataFrame,
    cell_type: str,
    truth: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the fraction of one cell type in each sample with its interval, in ascending order.

    The intervals of more than 80 samples become a band. Missing values are not drawn.

    Parameters
    ----------
    fractions, lower, upper
        Fractions and the bounds of their intervals, samples × cell types; bounds are matched by name.
    cell_type
        The type to draw.
    truth
        Measured fractions, samples × cell types, drawn as diamonds where available.
    ax
        Axes to draw on. Default: those of a new figure. The legend is to the right of the axes;
        ``layout="constrained"`` makes room for it.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There is nothing to draw, a table lacks the type, the bounds lack a sample, a lower bound is above the
        upper bound, or ``truth`` has no value for any of the samples.
    """
    table = fraction_table(fractions, name="fractions")
    require(cell_type, table, what="cell type", place="fractions")
    data = _sorted(table, lower=lower, upper=upper, cell_type=cell_type, truth=truth)
    color = cell_type_colors(names_of(table))[cell_type]
    n = len(data.samples)
    width = min(max(_MIN_WIDTH, n * _style.TICK), _MAX_WIDTH)
    if ax is None:
        height = _HEIGHT + _NAMES_HEIGHT * _style.names_fit(n, width=width)
        ax = _style.axes_or_new(None, width=width + 0.7 + _LEGEND_WIDTH, height=height)
    else:
        width = _style.axes_width(ax)
    _style.dress(ax, y="Fraction of cells", grid="y")
    _style.title(ax, cell_type)
    handles = _draw_estimates(ax, data, color=color)
    if truth is not None:
        handles.append(_draw_truth(ax, data.truth, color=COLORS[0] if color == COLORS[1] else COLORS[1]))
    _style.name_samples(ax, data.samples, width=width)
    margin = 0.6 if n <= _MAX_BARS else n * 0.01
    ax.set_xlim(-margin, n - 1 + margin)
    top = max(_MIN_TOP, *(np.nanmax(values, initial=0) for values in data[1:]))
    ax.set_ylim(-0.02 * top, 1.04 * top)
    _style.legend_beside(ax, handles)
    return ax


def _sorted(
    table: pd.DataFrame,
    *,
    lower: pd.DataFrame,
    upper: pd.DataFrame,
    cell_type: str,
    truth: pd.DataFrame | None,
) -> _Sorted:
    drawn = table[[cell_type]].dropna().sort_values(cell_type, kind="stable")
    if drawn.empty:
        msg = f"fractions has no values of '{cell_type}', so there is nothing to draw."
        raise InputError(msg)
    samples = [str(name) for name in drawn.index]
    low, high = (
        like(bound, drawn, name=name, other_name="fractions")[cell_type].to_numpy()
        for name, bound in (("lower", lower), ("upper", upper))
    )
    if (low > high).any():
        msg = f"lower is above upper in sample '{samples[int((low > high).argmax())]}'. Are the two swapped?"
        raise InputError(msg)
    measured = np.full(len(drawn), np.nan)
    if truth is not None:
        true = fraction_table(truth, name="truth")
        require(cell_type, true, what="cell type", place="truth")
        measured = true[cell_type].reindex(drawn.index).to_numpy()
        if np.isnan(measured).all():
            msg = (
                f"truth has no value of '{cell_type}' for any sample of fractions ('{samples[0]}' …). Use "
                "the same sample names in both."
            )
            raise InputError(msg)
    return _Sorted(samples, drawn[cell_type].to_numpy(), low, high, measured)


def _draw_estimates(ax: Axes, data: _Sorted, *, color: str) -> list[Artist]:
    x = np.arange(len(data.samples))
    if len(x) > _MAX_BARS:
        ax.fill_between(x, data.lower, data.upper, color=color, alpha=0.3, linewidth=0)
        ax.plot(x, data.fraction, color=color, linewidth=1.8, zorder=3)
        return [
            Line2D([], [], color=color, linewidth=1.8, label="estimate"),
            Patch(color=color, alpha=0.3, linewidth=0, label="interval"),
        ]
    ax.vlines(x, data.lower, data.upper, color=color, linewidth=2.2, alpha=0.4)
    ax.scatter(x, data.fraction, s=20, color=color, linewidths=0, zorder=3)
    return [
        Line2D([], [], color=color, marker="o", linestyle="", markersize=4.5, label="estimate"),
        Line2D([], [], color=color, alpha=0.4, linewidth=2.2, label="interval"),
    ]


def _draw_truth(ax: Axes, truth: NDArray[np.float64], *, color: str) -> Artist:
    """Draw diamonds: open if they are few, small and behind the line if they are many."""
    n = len(truth)
    marks = ax.scatter(np.arange(n), truth, marker="D", color=color, rasterized=_style.is_rasterized(n))
    handle = Line2D([], [], color=color, marker="D", linestyle="", markersize=3.5, label="truth")
    if n > _MAX_BARS:
        marks.set(sizes=[_style.mark_area(n) / 1.5], linewidths=0, alpha=0.7 * _style.mark_alpha(n))
    else:
        marks.set(sizes=[20], facecolors="none", linewidths=1.1, zorder=4)
        handle.set(markerfacecolor="none", markersize=4.5)
    return handle
