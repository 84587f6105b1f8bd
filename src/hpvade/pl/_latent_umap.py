"""The latent space of the VAE in two dimensions."""

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
_MOST_CELLS = 20_000
_FEWEST_CELLS = 4
_N_NEIGHBORS = 15
_DECIMALS = 3  # of the points: a layout would magnify what threads change in the last digits
_MIN_DIST = 0.5  # cells of a type spread, and do not vanish behind its prototype
_MARK = 8.0  # points that a prototype is wide
_CHARACTER = 5.6  # points that a bold character is wide
_Box = tuple[float, float, float, float]


def latent_umap(
    cells: pd.DataFrame,
    *,
    labels: Sequence[str],
    prototypes: pd.DataFrame | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Lay out cells and prototypes with UMAP, cells in the colour of their type, prototypes large and named.

    Both are laid out together. Of more than 20,000 cells a random 20,000, the same with the same seed, are
    laid out and drawn, which takes about a minute. The first call in a process takes some seconds longer.

    Parameters
    ----------
    cells
        Cells × latent dimensions, as ``HPVADE.latent`` returns them.
    labels
        Cell type of each cell, in the order of ``cells``.
    prototypes
        Cell types × latent dimensions. Their order is that of the colours; labels beyond them follow, sorted.
    seed
        Seed of the layout and of the choice of cells.
    ax
        Axes to draw on. Default: those of a new figure. The legend stands to their right.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        There are fewer than four cells or two dimensions, all cells are in one place, values are missing,
        there is not one label a cell, or prototypes have other dimensions.

    References
    ----------
    McInnes, Healy & Melville (2018), arXiv:1802.03426, with the first two principal components as the start.
    """
    table, of_cell = _chosen(cells, labels, seed=seed)
    points = table.to_numpy()
    names: list[str] = []
    if prototypes is not None:
        of_types = _complete(prototypes, name="prototypes", rows="cell types")
        if of_types.shape[1] != table.shape[1]:
            msg = f"prototypes has {of_types.shape[1]} latent dimensions, but cells has {table.shape[1]}."
            raise InputError(msg)
        names = [str(name) for name in of_types.index]
        points = np.vstack([points, of_types.to_numpy()])
    places = _lay_out(points, seed=seed)
    types = [*names, *sorted(set(of_cell) - set(names))]
    colors = cell_type_colors(types)
    n_columns, legend_width = _style.legend_size(types, height=_SIDE)
    ax = _style.axes_or_new(ax, width=_SIDE + legend_width, height=_SIDE)
    _draw_cells(ax, places[: len(of_cell)], colors=[colors[name] for name in of_cell], seed=seed)
    _draw_prototypes(ax, places[len(of_cell) :], colors={name: colors[name] for name in names})
    _style.legend_of_types(ax, colors, n_columns=n_columns)
    return ax


def _chosen(cells: pd.DataFrame, labels: Sequence[str], *, seed: int) -> tuple[pd.DataFrame, list[str]]:
    """Check cells and labels, and take as many as are drawn."""
    table = _complete(cells, name="cells", rows="cells")
    n_cells, n_latent = table.shape
    told = pd.Series(list(labels), dtype=object)
    if len(told) != n_cells or told.isna().any():
        msg = f"There must be one label for each of the {n_cells} cells, but there are {told.notna().sum()}."
        raise InputError(msg)
    if n_cells < _FEWEST_CELLS or n_latent < 2:
        msg = (
            f"A layout needs {_FEWEST_CELLS} cells and 2 latent dimensions, but there are {n_cells} and "
            f"{n_latent}."
        )
        raise InputError(msg)
    if (table == table.iloc[0]).all(axis=None):
        msg = f"All {n_cells} cells have the same place in the latent space. There is nothing to lay out."
        raise InputError(msg)
    of_cell = told.astype(str)
    if n_cells > _MOST_CELLS:
        some = np.sort(child_rng(seed, "latent_umap").choice(n_cells, _MOST_CELLS, replace=False))
        table, of_cell = table.iloc[some], of_cell.iloc[some]
    return table, of_cell.tolist()


def _complete(table: pd.DataFrame, *, name: str, rows: str) -> pd.DataFrame:
    numbers = table_of_numbers(table, name=name, rows=rows, columns="latent dimensions")
    if n_bad := int(numbers.isna().any(axis=1).sum()):
        msg = f"{name} has missing values in {n_bad} of {len(numbers)} rows. Drop them, and their labels."
        raise InputError(msg)
    return numbers


def _lay_out(points: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """Lay out points (n, n_latent) in two dimensions, (n, 2)."""
    with warnings.catch_warnings():
        # A variant of UMAP that is not used here lacks TensorFlow.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        import umap  # noqa: PLC0415 - compiles for seconds, and only this plot needs it

    # Principal components as the start keep groups in place; the usual start fails, with a warning, where its
    # solver does. With a seed UMAP works in one thread.
    n_neighbors = min(_N_NEIGHBORS, len(points) - 1)
    reducer = umap.UMAP(n_neighbors=n_neighbors, min_dist=_MIN_DIST, init="pca", random_state=seed, n_jobs=1)
    rounded = points.round(_DECIMALS).astype(np.float32)
    return np.asarray(reducer.fit_transform(rounded), dtype=np.float64)


def _draw_cells(ax: Axes, places: NDArray[np.float64], *, colors: list[str], seed: int) -> None:
    n = len(places)
    order = child_rng(seed, "latent_umap", "order").permutation(n)  # no type hides another
    x, y = places[order].T
    marks = ax.scatter(x, y, s=_style.mark_area(n), c=[colors[i] for i in order], linewidths=0)
    marks.set(alpha=_style.mark_alpha(n), rasterized=_style.as_picture(n))
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
    """Find where to write each name: beside its mark, where fewest marks and earlier names are in the way.

    ``at`` are the places of the marks, (n, 2); all are in points.
    """
    boxes = [(x, y, _MARK / 2, _MARK / 2) for x, y in at]  # middle, half of width and height
    offsets = []
    for name, (x, y) in zip(names, at, strict=True):
        half = len(_style.shortened(name)) * _CHARACTER / 2 + 2
        up, aside = _MARK / 2 + _style.SMALL_SIZE, half + _MARK
        options = [(0, up), (0, -up), (aside, 0), (-aside, 0), (aside, up), (-aside, up), (aside, -up)]
        boxes_then = [(x + dx, y + dy, half, _style.SMALL_SIZE / 2) for dx, dy in options]
        best = int(np.argmin([sum(_overlap(box, other) for other in boxes) for box in boxes_then]))
        boxes.append(boxes_then[best])
        offsets.append(options[best])
    return offsets


def _overlap(one: _Box, other: _Box) -> float:
    """Area that two boxes share."""
    sides = [min(one[2 + i] + other[2 + i] - abs(one[i] - other[i]), 2 * one[2 + i]) for i in (0, 1)]
    return max(sides[0], 0) * max(sides[1], 0)
