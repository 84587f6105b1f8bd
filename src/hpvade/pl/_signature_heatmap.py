"""Expression of the marker genes of each cell type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from hpvade._errors import InputError
from hpvade.pl import _style
from hpvade.pl._input import names_of, table_of_numbers
from hpvade.pl._palette import cell_type_colors
from hpvade.pp import cpm_to_log
from hpvade.pp._spaces import PROFILE_FLOOR

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MIN_EXPRESSION = 50.0  # CPM of a marker in its type
_COLUMN = 0.24  # inches
_MAX_HEIGHT = 20.0
_STRIP = 0.08  # width of the strip of colours beside the genes, inches
_COLORMAP = "viridis"


def signature_heatmap(signature: pd.DataFrame, *, n_markers: int = 5, ax: Axes | None = None) -> Axes:
    """Draw the expression of the top markers of each cell type across all types.

    A gene is a marker of the type with its highest expression, if that is at least 50 CPM. Markers are ranked
    by the ratio (CPM + 25) / (CPM + 25) of that type to the next highest. Colours show log1p(CPM / 100)
    relative to the maximum of the gene. A type without markers has no rows. Genes with a missing value are
    excluded.

    Parameters
    ----------
    signature
        Genes × cell types, CPM.
    n_markers
        Maximum number of genes per type.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There are fewer than two types, a value is negative, or there are no markers.
    """
    table = table_of_numbers(signature, name="signature", rows="genes").dropna()
    types = names_of(table)
    markers = _markers(table, n_markers=n_markers)
    genes = np.concatenate(markers)
    log = cpm_to_log(table.to_numpy()[genes])
    names = [_style.readable(name) for name in types]
    column = max(_COLUMN, _style.LINE * max(name.count("\n") + 1 for name in names) + 0.04)
    height = min(len(genes) * _style.LINE, _MAX_HEIGHT)
    if ax is None:
        ax = _style.axes_or_new(None, width=len(types) * column + 2.2, height=height + 1.5)
    else:
        height = ax.bbox.height / ax.figure.dpi
    _style.dress(ax)
    shares = log / log.max(1, keepdims=True)
    image = ax.imshow(shares, aspect="auto", cmap=_COLORMAP, vmin=0, vmax=1, interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks(range(len(types)), names, rotation=90)
    if len(genes) * _style.LINE * 0.95 <= height:
        ax.set_yticks(range(len(genes)), [_style.readable(gene) for gene in table.index[genes]])
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(genes)} genes")
    _group_rows(ax, [len(rows) for rows in markers], types=types, strip=_STRIP / column)
    bar = ax.figure.colorbar(image, ax=ax, aspect=14, shrink=min(1, 1.8 / height), anchor=(0, 1))
    bar.set_ticks([0, 0.5, 1])
    bar.ax.spines[:].set_visible(False)
    bar.ax.tick_params(labelcolor=_style.INK, labelsize=_style.SMALL_SIZE, length=0)
    label = "log expression,\nrelative to gene maximum"
    bar.set_label(label, color=_style.INK, fontsize=_style.SMALL_SIZE)
    return ax


def _markers(table: pd.DataFrame, *, n_markers: int) -> list[NDArray[np.intp]]:
    """Return the rows of the markers of each type, the best first."""
    cpm = table.to_numpy()
    if cpm.shape[1] < 2:
        msg = f"signature has {cpm.shape[1]} cell type, but markers need at least two."
        raise InputError(msg)
    if (cpm < 0).any():
        msg = "signature has negative values. Give CPM, not logarithms or z-scores."
        raise InputError(msg)
    ranked = np.sort(cpm, axis=1)
    ratio = (ranked[:, -1] + PROFILE_FLOOR) / (ranked[:, -2] + PROFILE_FLOOR)
    is_marker = (ranked[:, -1] >= _MIN_EXPRESSION) & (ranked[:, -1] > ranked[:, -2])
    if not is_marker.any():
        msg = (
            f"signature has no markers: no gene with at least {_MIN_EXPRESSION:.0f} CPM peaks in a single "
            "cell type."
        )
        raise InputError(msg)
    best = np.argsort(-ratio, kind="stable")
    best = best[is_marker[best]]
    highest = cpm[best].argmax(1)
    return [best[highest == k][:n_markers] for k in range(cpm.shape[1])]


def _group_rows(ax: Axes, n_rows: list[int], *, types: list[str], strip: float) -> None:
    """Mark the rows of each type: its colour on the left, a light line below."""
    colors = cell_type_colors(types)
    left = -0.5 - 1.6 * strip
    start = -0.5
    for name, n in zip(types, n_rows, strict=True):
        ax.add_patch(Rectangle((left, start), strip, n, color=colors[name], linewidth=0))
        start += n
        if n and start < sum(n_rows) - 0.5:
            ax.plot([left, len(types) - 0.5], [start, start], color=_style.GRID, linewidth=1.2)
    ax.set_xlim(left, len(types) - 0.5)
    ax.set_ylim(sum(n_rows) - 0.5, -0.5)
