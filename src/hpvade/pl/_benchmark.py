"""Accuracy of methods with each reference on each data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpvade._errors import InputError
from hpvade.pl import _style
from hpvade.pl._palette import cell_type_colors

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_NEEDED = {"reference", "dataset", "method", "scope", "r", "ccc"}
_PANEL_WIDTH = 3.4  # inches
_ROW_HEIGHT = 0.135  # inches for one method on one data set
_MEAN_ROW = "mean over\ndata sets"


class _Panel(NamedTuple):
    title: str
    scope: str
    metric: str


_PANELS = (
    _Panel("Pearson r, mean over cell types", "mean of types", "r"),
    _Panel("CCC, mean over cell types", "mean of types", "ccc"),
    _Panel("CCC, pooled", "pooled", "ccc"),
)


def benchmark_summary(table: pd.DataFrame) -> NDArray[Any]:
    """Draw the accuracy of each method: one row of panels per reference, one column per metric.

    A large mark is the mean over seeds, small marks are single seeds, and a line is the 95% interval if the
    table has one. The last row of each reference is the mean over its data sets. Undefined values are not
    drawn.

    Parameters
    ----------
    table
        One row for each ``reference``, ``dataset``, ``method`` and ``scope`` ("mean of types", "pooled";
        others are not drawn), and for each seed, with ``r`` and ``ccc`` in [-1, 1], and
        optionally ``ccc_lower`` and ``ccc_upper``: ``results.tsv`` of ``hpvade benchmark``.

    Returns
    -------
    The axes, references × metrics, shape (n_references, 3); ``[0, 0].figure`` is the figure.

    Raises
    ------
    InputError
        A column is missing, or there is nothing to draw.
    """
    if missing := sorted(_NEEDED - set(table.columns)):
        msg = (
            f"The table has no column '{missing[0]}'. Its columns are: {', '.join(map(str, table.columns))}."
        )
        raise InputError(msg)
    drawn = table[table["scope"].isin([panel.scope for panel in _PANELS])]
    if drawn.empty:
        msg = "The table has no row with the scope 'mean of types' or 'pooled', so there is nothing to draw."
        raise InputError(msg)
    methods = list(dict.fromkeys(drawn["method"]))
    colors = cell_type_colors(methods)
    styles = {name: (colors[name], _MARKERS[i % len(_MARKERS)]) for i, name in enumerate(methods)}
    references = list(dict.fromkeys(drawn["reference"]))
    parts = [drawn[drawn["reference"] == reference] for reference in references]
    heights = [_height(part, n_methods=len(methods)) for part in parts]
    figure = Figure(figsize=(_PANEL_WIDTH * len(_PANELS) + 1.2, sum(heights) + 0.9), layout="constrained")
    grid = figure.subplots(
        len(parts), len(_PANELS), sharex="col", squeeze=False, height_ratios=heights, sharey="row"
    )
    for row, (reference, part) in enumerate(zip(references, parts, strict=True)):
        for axes, panel in zip(grid[row], _PANELS, strict=True):
            _draw(axes, part, panel=panel, styles=styles)
            if row == 0:
                axes.set_title(panel.title, color=_style.INK, fontsize=_style.TITLE_SIZE)
        grid[row, 0].set_ylabel(reference, fontsize=_style.TITLE_SIZE, fontweight="bold")
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", markersize=6, label=method)
        for method, (color, marker) in styles.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=min(len(methods), 8),
        frameon=False,
        fontsize=_style.TITLE_SIZE,
        labelcolor=_style.INK,
    )
    return np.asarray(grid)


def _height(part: pd.DataFrame, *, n_methods: int) -> float:
    """Return the height of the panels of a reference, inches."""
    return max((part["dataset"].nunique() + 1) * (n_methods + 1.5) * _ROW_HEIGHT, 1.0)


def _draw(axes: Axes, part: pd.DataFrame, *, panel: _Panel, styles: Mapping[str, tuple[str, str]]) -> None:
    """Draw one metric for one reference: data sets from top to bottom, and the methods of each."""
    rows = part[part["scope"] == panel.scope]
    datasets = list(dict.fromkeys(part["dataset"]))
    step = len(styles) + 1.5
    lower, upper = f"{panel.metric}_lower", f"{panel.metric}_upper"
    for i, (method, (color, marker)) in enumerate(styles.items()):
        method_rows = rows[rows["method"] == method]
        means = method_rows.groupby("dataset")[panel.metric].mean().reindex(datasets)
        heights = np.arange(len(datasets)) * step + i
        seeds = method_rows[panel.metric].to_numpy()
        at = np.array([datasets.index(d) for d in method_rows["dataset"]], dtype=float) * step + i
        if len(seeds) > means.notna().sum():
            axes.scatter(seeds, at, s=9, color=color, alpha=0.45, linewidths=0)
        if lower in method_rows and method_rows[lower].notna().any():
            bounds = method_rows.groupby("dataset").agg({lower: "min", upper: "max"}).reindex(datasets)
            axes.hlines(heights, bounds[lower], bounds[upper], color=color, alpha=0.45, linewidth=1.6)
        marks = [(mean, height, 38) for mean, height in zip(means, heights, strict=True)]
        if means.notna().all():  # a mean over fewer data sets would not be comparable
            marks.append((means.mean(), len(datasets) * step + i, 52))
        x, y, size = np.array(marks).T
        axes.scatter(x, y, s=size, color=color, marker=marker, linewidths=0, zorder=3)
    _style.dress(axes, y=axes.get_ylabel(), grid="x")
    middle = (len(styles) - 1) / 2
    axes.set_yticks(
        [k * step + middle for k in range(len(datasets) + 1)],
        [*(name.replace("_", "\n", 1) for name in datasets), _MEAN_ROW],
        fontsize=_style.SMALL_SIZE,
    )
    axes.set_ylim((len(datasets) + 1) * step - 1.25, -1.25)
    for k in range(1, len(datasets) + 1):
        last = k == len(datasets)
        color, width = (_style.MUTED, 0.9) if last else (_style.GRID, 0.7)
        axes.axhline(k * step - 1.25, color=color, linewidth=width)
    axes.axvline(0, color=_style.MUTED, linewidth=0.8, zorder=0)
    axes.set_xlim(right=1.03)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
