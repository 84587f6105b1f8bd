"""Fractions of each cell type by group of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch

from hpvade.pl._input import fraction_table
from hpvade.pl._palette import cell_type_colors
from hpvade.pl._style import (
    INK,
    SMALL_SIZE,
    axes_or_new,
    dress,
    is_rasterized,
    legend_beside,
    mark_alpha,
    mark_area,
    readable,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH = 0.8  # of all boxes of a type


def group_fractions(fractions: pd.DataFrame, *, groups: pd.Series, ax: Axes | None = None) -> Axes:
    """Draw a box plot of each cell type, with one box per group of samples and a mark per sample.

    Parameters
    ----------
    fractions
        Samples × cell types.
    groups
        Sample → group; samples without a group are not drawn.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        ``fractions`` cannot be drawn.
    """
    table = fraction_table(fractions, name="fractions")
    names = sorted(groups.unique())
    colors = cell_type_colors(names)
    ax = axes_or_new(ax, width=1.5 + 0.28 * len(names) * table.shape[1], height=3.4)
    rng = np.random.default_rng(0)  # the horizontal position within a box has no meaning
    step = _WIDTH / len(names)
    for k, name in enumerate(names):
        values = table[table.index.isin(groups.index[groups == name])].to_numpy()
        at = np.arange(table.shape[1]) - _WIDTH / 2 + (k + 0.5) * step
        ax.boxplot(
            values,
            positions=at,
            widths=0.8 * step,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": colors[name], "alpha": 0.45, "linewidth": 0},
            medianprops={"color": INK, "linewidth": 1.2},
            whiskerprops={"color": colors[name]},
            capprops={"color": colors[name]},
        )
        spread = rng.uniform(-0.25, 0.25, values.shape) * step
        ax.scatter(
            at + spread,
            values,
            s=mark_area(values.size),
            alpha=mark_alpha(values.size),
            color=colors[name],
            linewidths=0,
            zorder=3,
            rasterized=is_rasterized(table.size),
        )
    dress(ax, y="Fraction of cells", grid="y")
    ax.set_xticks(range(table.shape[1]), [readable(name, max_line=18) for name in table], rotation=90)
    ax.set_xlim(-0.6, table.shape[1] - 0.4)
    ax.set_ylim(bottom=0)
    ax.tick_params(axis="x", length=0, labelsize=SMALL_SIZE)
    legend_beside(ax, [Patch(color=colors[name], label=readable(name)) for name in names])
    return ax
