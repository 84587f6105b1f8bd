"""Which genes tell the cell types apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from hpvade._errors import InputError
from hpvade.pl import _style
from hpvade.pl._input import names_of, table_of_numbers
from hpvade.pl._palette import cell_type_colors
from hpvade.pp import cpm_to_log

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_LEAST_EXPRESSED = 50.0  # CPM of a marker in its type
_FLOOR = 25.0  # CPM below which a ratio of two types is noise
_COLUMN = 0.24  # inches
_TALLEST = 20.0
_STRIP = 0.08  # inches that the strip of colours beside the genes is wide
_COLORMAP = "viridis"


def signature_heatmap(signature: pd.DataFrame, *, n_markers: int = 5, ax: Axes | None = None) -> Axes:
    """Draw the expression of each cell type's best markers in all types.

    A gene is a marker of the type that expresses it most, if that is at least 50 CPM; best are those with the
    largest ratio (CPM + 25) / (CPM + 25) of that type to the next. Colours show log1p(CPM / 100) as a share
    of the gene's highest value. A type that expresses no gene most has no rows. Genes with a missing value
    are left out.

    Parameters
    ----------
    signature
        Genes × cell types, CPM.
    n_markers
        Most genes of each type.
    ax
        Axes to draw on. Default: those of a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There are fewer than two types, a value is negative, or no gene is a marker.
    """
    table = table_of_numbers(signature, name="signature", rows="genes").dropna()
    types = names_of(table)
    markers = _markers(table, n_markers=n_markers)
    genes = np.concatenate(markers)
    log = cpm_to_log(table.to_numpy()[genes])
    names = [_style.readable(name) for name in types]
    column = max(_COLUMN, _style.LINE * max(name.count("\n") + 1 for name in names) + 0.04)
    height = min(len(genes) * _style.LINE, _TALLEST)
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
    _group_rows(ax, [len(of_type) for of_type in markers], types=types, strip=_STRIP / column)
    bar = ax.figure.colorbar(image, ax=ax, aspect=14, shrink=min(1, 1.8 / height), anchor=(0, 1))
    bar.set_ticks([0, 0.5, 1])
    bar.ax.spines[:].set_visible(False)
    bar.ax.tick_params(labelcolor=_style.INK, labelsize=_style.SMALL_SIZE, length=0)
    label = "log expression,\nshare of the gene's highest"
    bar.set_label(label, color=_style.INK, fontsize=_style.SMALL_SIZE)
    return ax


def _markers(table: pd.DataFrame, *, n_markers: int) -> list[NDArray[np.intp]]:
    """Find the rows of each type's markers, the best first."""
    cpm = table.to_numpy()
    if cpm.shape[1] < 2:
        msg = f"signature has {cpm.shape[1]} cell type, but markers tell at least two apart."
        raise InputError(msg)
    if (cpm < 0).any():
        msg = "signature has negative values. Give CPM as they are, not their logarithms or z-scores."
        raise InputError(msg)
    ranked = np.sort(cpm, axis=1)
    ratio = (ranked[:, -1] + _FLOOR) / (ranked[:, -2] + _FLOOR)
    of_one = (ranked[:, -1] >= _LEAST_EXPRESSED) & (ranked[:, -1] > ranked[:, -2])
    if not of_one.any():
        msg = f"signature has no gene with {_LEAST_EXPRESSED:.0f} CPM or more that one type expresses most."
        raise InputError(msg)
    best = np.argsort(-ratio, kind="stable")
    best = best[of_one[best]]
    of_type = cpm[best].argmax(1)
    return [best[of_type == k][:n_markers] for k in range(cpm.shape[1])]


def _group_rows(ax: Axes, n_rows: list[int], *, types: list[str], strip: float) -> None:
    """Show which rows belong to a type: its colour on their left, a light line below."""
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
