"""Estimated versus measured fractions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from hpvade import metrics
from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning
from hpvade.pl import _style
from hpvade.pl._input import fraction_table, like, names_of, require
from hpvade.pl._palette import cell_type_colors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_SIDE = 3.2  # inches
_MIN_LIMIT = 0.05
_CORNER = 0.3  # share of the axes that the text takes


class _Pairs(NamedTuple):
    """Pairs of sample and cell type with both fractions, in the order of samples: no type hides another."""

    predicted: NDArray[np.float64]
    truth: NDArray[np.float64]
    kind: NDArray[np.intp]  # index of the cell type
    complete: NDArray[np.bool_]  # samples × types


def predicted_versus_true(
    predicted: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    cell_type: str | None = None,
    lower: pd.DataFrame | None = None,
    upper: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw estimated against measured fractions, with Pearson r, concordance (CCC) and RMSE over all marks.

    Parameters
    ----------
    predicted
        Estimated fractions, samples × cell types. Samples without a truth are not drawn.
    truth
        Measured fractions, samples × cell types, matched by name. Missing values are not drawn; the plot
        gives their number.
    cell_type
        The type to draw. Default: all types present in both tables, each in its colour.
    lower, upper
        Bounds of the intervals, tables like ``predicted``, drawn as thin lines; both or neither.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There is nothing to draw, a sample of ``truth`` has no estimate or bounds, the tables share no type,
        or only one bound is given.
    """
    if (lower is None) != (upper is None):
        given = "lower" if upper is None else "upper"
        msg = f"Only the {given} bounds of the intervals are given. Give both or neither."
        raise InputError(msg)
    estimate, measured = _matched(predicted, truth, cell_type=cell_type)
    pairs = _pairs(estimate, measured)
    types = names_of(estimate)
    palette = cell_type_colors(names_of(predicted))
    colors = [palette[types[kind]] for kind in pairs.kind]
    n_columns, legend_width = (1, 0.0) if cell_type else _style.legend_size(types, height=_SIDE)
    ax = _style.axes_or_new(ax, width=_SIDE + legend_width + 0.6, height=_SIDE + 0.5)
    _style.dress(ax, x="True fraction", y="Estimated fraction", grid="both")
    highest = max(pairs.predicted.max(), pairs.truth.max(), _MIN_LIMIT)
    if lower is not None and upper is not None:
        low, high = (
            like(bound, estimate, name=name, other_name="predicted").to_numpy()[pairs.complete]
            for name, bound in (("lower", lower), ("upper", upper))
        )
        highest = max(highest, np.nanmax(high, initial=0))
        _draw_intervals(ax, pairs.truth, low=low, high=high, colors=colors)
    _draw_pairs(ax, pairs, colors=colors, top=1.05 * highest)
    if cell_type is None:
        _style.cell_type_legend(ax, {name: palette[name] for name in types}, n_columns=n_columns)
    else:
        _style.title(ax, cell_type)
    return ax


def _matched(
    predicted: pd.DataFrame, truth: pd.DataFrame, *, cell_type: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Select the samples of the truth and the types to draw from both tables."""
    estimate, measured = fraction_table(predicted, name="predicted"), fraction_table(truth, name="truth")
    if len(missing := measured.index[~measured.index.isin(estimate.index)]):
        msg = f"predicted has no sample '{missing[0]}', which is in truth. Use the same sample names in both."
        raise InputError(msg)
    types = [name for name in names_of(estimate) if name in measured]
    if cell_type is not None:
        require(cell_type, estimate, what="cell type", place="predicted")
        require(cell_type, measured, what="cell type", place="truth")
        types = [cell_type]
    elif not types:
        msg = (
            f"predicted and truth have no cell type in common: '{estimate.columns[0]}' … and "
            f"'{measured.columns[0]}' …. Use the same names in both."
        )
        raise InputError(msg)
    return estimate.loc[measured.index, types], measured[types]


def _pairs(estimate: pd.DataFrame, measured: pd.DataFrame) -> _Pairs:
    e, t = estimate.to_numpy(), measured.to_numpy()
    complete = np.isfinite(e) & np.isfinite(t)
    if not complete.any():
        msg = "No sample has both an estimated and a true fraction, so there is nothing to draw."
        raise InputError(msg)
    return _Pairs(e[complete], t[complete], np.nonzero(complete)[1], complete)


def _agreement(pairs: _Pairs) -> str:
    """Return the metrics as text; undefined ones are marked, so their warning adds nothing."""
    if len(pairs.truth) < 2:
        return "one value: r and CCC undefined"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateMetricWarning)
        values = {
            "r": metrics.pearson(pairs.predicted, pairs.truth),
            "CCC": metrics.ccc(pairs.predicted, pairs.truth),
            "RMSE": metrics.rmse(pairs.predicted, pairs.truth),
        }
    shown = {name: "undefined" if np.isnan(value) else f"{value:.3f}" for name, value in values.items()}
    return "\n".join(f"{name} {value}" for name, value in shown.items())


def _draw_intervals(
    ax: Axes,
    x: NDArray[np.float64],
    *,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colors: Sequence[str],
) -> None:
    ends = np.stack([np.column_stack([x, low]), np.column_stack([x, high])], axis=1)
    lines = LineCollection(list(ends), colors=colors, linewidths=0.9, alpha=0.35, zorder=2)
    lines.set_rasterized(_style.is_rasterized(len(x)))
    ax.add_collection(lines, autolim=False)


def _draw_pairs(ax: Axes, pairs: _Pairs, *, colors: Sequence[str], top: float) -> None:
    """Draw the marks and their metrics, on two axes with the same limits and ticks."""
    x, y = pairs.truth, pairs.predicted
    marks = ax.scatter(x, y, s=_style.mark_area(len(x)), c=colors, linewidths=0, zorder=3)
    marks.set(alpha=_style.mark_alpha(len(x)), rasterized=_style.is_rasterized(len(x)))
    near, far = _CORNER * top, (1 - _CORNER) * top
    n_left, n_right = ((x < near) & (y > far)).sum(), ((x > far) & (y < near)).sum()
    n_missing = pairs.complete.size - len(x)
    missing = f"{n_missing:,} missing" if n_missing else ""
    _style.corner_text(ax, _agreement(pairs), muted=missing, lower_right=bool(n_left > n_right))
    _style.diagonal(ax, end=top)
    ax.set(xlim=(-0.03 * top, top), ylim=(-0.03 * top, top))
    ax.set_aspect("equal", adjustable="box")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
