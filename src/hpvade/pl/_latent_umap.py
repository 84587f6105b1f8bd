"""UMAP of the latent space of the VAE."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import InputError
from hpvade._random import child_rng
from hpvade.pl import _style
from hpvade.pl._input import table_of_numbers
from hpvade.pl._palette import cell_type_colors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_SIDE = 4.0  # inches
_MAX_CELLS = 20_000
_MIN_CELLS = 4
_N_NEIGHBORS = 15
_DECIMALS = 3  # of the points: the layout would magnify differences that threads make in the last digits
_MIN_DIST = 0.5  # spreads the cells of a type, so that its prototype does not hide them
_MARK = 8.0  # width of a prototype, points
_CHARACTER = 5.6  # width of a bold character, points
_Box = tuple[float, float, float, float]


def latent_umap(
    cells: pd.DataFrame,
    *,
    labels: Sequence[str],
    prototypes: pd.DataFrame | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a UMAP of cells and prototypes: cells in the colour of their type, prototypes large and named.

    Cells and prototypes share one layout. Of more than 20,000 cells, a random 20,000 are drawn (reproducible
    with ``seed``), which takes about a minute. The first call in a process takes some seconds longer.

    Parameters
    ----------
    cells
        Cells × latent dimensions, as ``HPVADE.latent`` returns them.
    labels
        Cell type of each cell, in the order of ``cells``.
    prototypes
        Cell types × latent dimensions. Colours follow their order; other labels come after them, sorted.
    seed
        Seed of the layout and of the choice of cells.
    ax
        Axes to draw on. Default: those of a new figure. The legend is to the right of the axes.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There are fewer than four cells or two dimensions, all cells are at the same point, values are
        missing, the number of labels differs from that of cells, or prototypes have other dimensions.

    References
    ----------
    McInnes, Healy & Melville (2018), arXiv:1802.03426, initialised with the first two principal components.
    """
    table, cell_labels = _chosen(cells, labels, seed=seed)
    points = table.to_numpy()
    names: list[str] = []
    if prototypes is not None:
        prototype_table = _complete(prototypes, name="prototypes", rows="cell types")
        if prototype_table.shape[1] != table.shape[1]:
            n_latent = prototype_table.shape[1]
            msg = f"prototypes has {n_latent} latent dimensions, but cells has {table.shape[1]}."
            raise InputError(msg)
        names = [str(name) for name in prototype_table.index]
        points = np.vstack([points, prototype_table.to_numpy()])
    places = _lay_out(points, seed=seed)
    types = [*names, *sorted(set(cell_labels) - set(names))]
    colors = cell_type_colors(types)
    n_columns, legend_width = _style.legend_size(types, height=_SIDE)
    ax = _style.axes_or_new(ax, width=_SIDE + legend_width, height=_SIDE)
    _draw_cells(ax, places[: len(cell_labels)], colors=[colors[name] for name in cell_labels], seed=seed)
    _draw_prototypes(ax, places[len(cell_labels) :], colors={name: colors[name] for name in names})
    _style.cell_type_legend(ax, colors, n_columns=n_columns)
    return ax


def _chosen(cells: pd.DataFrame, labels: Sequence[str], *, seed: int) -> tuple[pd.DataFrame, list[str]]:
    """Check cells and labels, and choose the cells to draw."""
    table = _complete(cells, name="cells", rows="cells")
    n_cells, n_latent = table.shape
    given = pd.Series(list(labels), dtype=object)
    if len(given) != n_cells or given.isna().any():
        msg = f"Each of the {n_cells} cells needs a label, but there are {given.notna().sum()} labels."
        raise InputError(msg)
    if n_cells < _MIN_CELLS or n_latent < 2:
        msg = (
            f"A UMAP needs at least {_MIN_CELLS} cells and 2 latent dimensions, but there are {n_cells} and "
            f"{n_latent}."
        )
        raise InputError(msg)
    if (table == table.iloc[0]).all(axis=None):
        msg = (
            f"All {n_cells} cells are at the same point of the latent space, so there is nothing to lay out."
        )
        raise InputError(msg)
    cell_labels = given.astype(str)
    if n_cells > _MAX_CELLS:
        chosen = np.sort(child_rng(seed, "latent_umap").choice(n_cells, _MAX_CELLS, replace=False))
        table, cell_labels = table.iloc[chosen], cell_labels.iloc[chosen]
    return table, cell_labels.tolist()


def _complete(table: pd.DataFrame, *, name: str, rows: str) -> pd.DataFrame:
    numbers = table_of_numbers(table, name=name, rows=rows, columns="latent dimensions")
    if n_bad := int(numbers.isna().any(axis=1).sum()):
        msg = f"{name} has missing values in {n_bad} of {len(numbers)} rows. Remove them and their labels."
        raise InputError(msg)
    return numbers


def _lay_out(points: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """Lay out points (n, n_latent) in two dimensions, (n, 2)."""
    with warnings.catch_warnings():
        # Only parametric UMAP, which is not used here, needs TensorFlow.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        import umap  # noqa: PLC0415 - compiles for seconds, and only this plot needs it

    # Starting from principal components keeps groups in place; the default start fails, with a warning, when
    # its solver does. With a seed, UMAP runs in one thread.
    n_neighbors = min(_N_NEIGHBORS, len(points) - 1)
    reducer = umap.UMAP(n_neighbors=n_neighbors, min_dist=_MIN_DIST, init="pca", random_state=seed, n_jobs=1)
    rounded = points.round(_DECIMALS).astype(np.float32)
    return np.asarray(reducer.fit_transform(rounded), dtype=np.float64)


def _draw_cells(ax: Axes, places: NDArray[np.float64], *, colors: list[str], seed: int) -> None:
    n = len(places)
    order = child_rng(seed, "latent_umap", "order").permutation(n)  # random, so that no type hides another
    x, y = places[order].T
    marks = ax.scatter(x, y, s=_style.mark_area(n), c=[colors[i] for i in order], linewidths=0)
    marks.set(alpha=_style.mark_alpha(n), rasterized=_style.is_rasterized(n))
    _style.dress(ax)
    ax.set_xlabel("UMAP 1", color=_style.MUTED, fontsize=_style.SMALL_SIZE, loc="left")
    ax.set_ylabel("UMAP 2", color=_style.MUTED, fontsize=_style.SMALL_SIZE, loc="bottom")
    ax.set(xticks=[], yticks=[])
    ax.set_aspect("equal", adjustable="datalim")


def _draw_prototypes(ax: Axes, places: NDArray[np.float64], *, colors: Mapping[str, str]) -> None:
    for color, (x, y) in zip(colors.values(), places, strict=True):
        ax.scatter(x, y, s=_MARK**2, marker="D", color=color, edgecolors=_style.INK, linewidths=1.2, zorder=4)
    ax.margins(0.08)
    ax.apply_aspect()
    at = ax.transData.transform(places) * 72 / ax.figure.dpi
    for name, (x, y), offset in zip(colors, places, _offsets(at, names=list(colors)), strict=True):
        text = ax.annotate(_style.shortened(name), (x, y), offset, textcoords="offset points")
        text.set(color=_style.INK, fontsize=_style.SMALL_SIZE, fontweight="bold", ha="center", va="center")
        text.set_zorder(5)


def _offsets(at: NDArray[np.float64], *, names: Sequence[str]) -> list[tuple[float, float]]:
    """Return where to write each name: next to its mark, with the least overlap with marks and earlier names.

    ``at`` are the positions of the marks, shape (n, 2), points.
    """
    boxes = [(x, y, _MARK / 2, _MARK / 2) for x, y in at]  # middle, half of width and height
    offsets = []
    for name, (x, y) in zip(names, at, strict=True):
        half = len(_style.shortened(name)) * _CHARACTER / 2 + 2
        up, aside = _MARK / 2 + _style.SMALL_SIZE, half + _MARK
        options = [(0, up), (0, -up), (aside, 0), (-aside, 0), (aside, up), (-aside, up), (aside, -up)]
        candidates = [(x + dx, y + dy, half, _style.SMALL_SIZE / 2) for dx, dy in options]
        best = int(np.argmin([sum(_overlap(box, other) for other in boxes) for box in candidates]))
        boxes.append(candidates[best])
        offsets.append(options[best])
    return offsets


def _overlap(one: _Box, other: _Box) -> float:
    """Return the area shared by two boxes."""
    sides = [min(one[2 + i] + other[2 + i] - abs(one[i] - other[i]), 2 * one[2 + i]) for i in (0, 1)]
    return max(sides[0], 0) * max(sides[1], 0)
