"""Finding the raw counts in an AnnData: where they are, and proof that they are counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from hpvade import _keys as keys
from hpvade._errors import CountsError, suggest
from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

_BLOCK_VALUES = 2**20  # values looked at or converted at a time
_LARGEST_LOG = 30.0  # larger values are not logarithms of expression

Matrix = Any  # a SciPy sparse matrix (CSR or CSC) or a NumPy array, cells × genes


@dataclass(frozen=True)
class Place:
    """One matrix of an AnnData that might hold counts: its name, values, and genes."""

    name: str
    matrix: Matrix
    var: pd.DataFrame


@dataclass(frozen=True)
class Values:
    """What the values of one place look like; ``first_bad`` names the first one no count can be."""

    low: float
    high: float
    integers: bool
    first_bad: str

    @property
    def are_counts(self) -> bool:
        """Whether they are finite, non-negative, integer-valued, and more than presence and absence."""
        return not self.first_bad and self.integers and self.high > 1

    def __str__(self) -> str:
        text = f"{self.low:.4g} … {self.high:.4g}"
        if self.first_bad:
            return f"{text}, {self.first_bad}"
        if self.integers:
            return f"{text}, nothing above 1"
        looks = " (looks log-normalised)" if self.high <= _LARGEST_LOG else ""
        return f"{text}, not integers{looks}"


def find_counts(adata: AnnData, *, layer: str | None, path: Path) -> Place:
    """Return the first place of ``adata`` that holds counts.

    Parameters
    ----------
    adata
        Cells × genes.
    layer
        The only place to look at: the name of a layer, ``"X"`` or ``"raw"``. If None, looks at
        ``layers["counts"]``, ``X``, ``raw.X``, and then the other layers.
    path
        The file, for messages.

    Raises
    ------
    CountsError
        If no place holds counts; says what was found in each.
    """
    seen: dict[str, Values] = {}
    for place in _places(adata) if layer is None else [_place(adata, layer=layer, path=path)]:
        seen[place.name] = _look_at(place, cells=adata.obs_names)
        if seen[place.name].are_counts:
            _tell_spoilt_layer(seen, found=place.name)
            return place
    looked = "\n".join(f"  {name}: {values}" for name, values in seen.items()) or "  (it has no matrix)"
    msg = (
        f"No raw counts in {path}. Looked at:\n{looked}\n"
        "Counts are finite, non-negative whole numbers. Store them in layers['counts'], "
        "or say where they are with --layer."
    )
    raise CountsError(msg)


def describe_if_no_counts(matrix: Matrix, *, cells: pd.Index, var: pd.DataFrame) -> str:
    """Say what the values of a matrix look like if they are no counts; an empty text if they are."""
    values = _look_at(Place("counts", matrix, var), cells=cells)
    return "" if values.are_counts else str(values)


def require_counts(place: Place, *, cells: pd.Index, path: Path) -> None:
    """Check a part of a matrix that holds counts.

    Raises
    ------
    CountsError
        A value is no count.
    """
    values = _look_at(place, cells=cells)
    if values.first_bad or not values.integers:
        msg = f"{path}: {place.name} holds counts in its first cells, but then {values}. Mend the file."
        raise CountsError(msg)


def to_csr(matrix: Matrix) -> sparse.csr_matrix[np.float32]:
    """Return a copy as CSR float32, shape (cells, genes); a dense matrix is converted by blocks of rows."""
    if _is_sparse(matrix):
        return sparse.csr_matrix(matrix, dtype=np.float32, copy=True)
    rows = _rows_per_block(matrix)
    blocks = [
        sparse.csr_matrix(matrix[start : start + rows], dtype=np.float32)
        for start in range(0, len(matrix), rows)
    ]
    return sparse.csr_matrix(sparse.vstack(blocks, format="csr"))


def _places(adata: AnnData) -> Iterator[Place]:
    if keys.COUNTS in adata.layers:
        yield _layer(adata, keys.COUNTS)
    if adata.X is not None:
        yield Place("X", adata.X, adata.var)
    if adata.raw is not None:
        yield Place("raw.X", adata.raw.X, adata.raw.var)
    for name in adata.layers:
        if name != keys.COUNTS:
            yield _layer(adata, name)


def _place(adata: AnnData, *, layer: str, path: Path) -> Place:
    if layer in adata.layers:
        return _layer(adata, layer)
    for place in _places(adata):
        if (layer, place.name) in {("X", "X"), ("raw", "raw.X")}:
            return place
    known = [name for name, there in (("X", adata.X), ("raw", adata.raw)) if there is not None]
    known += list(adata.layers)
    msg = f"layer='{layer}' is not in {path}. It has: {', '.join(known)}.{suggest(layer, known)}"
    raise CountsError(msg)


def _layer(adata: AnnData, name: str) -> Place:
    return Place(f"layers['{name}']", adata.layers[name], adata.var)


def _look_at(place: Place, *, cells: pd.Index) -> Values:
    """Look at every stored value, a block at a time."""
    low, high, integers, first_bad = np.inf, -np.inf, True, ""
    for start, block in _blocks(place.matrix):
        finite = np.isfinite(block)
        bad = ~finite | (block < 0)
        if bad.any() and not first_bad:
            where = np.unravel_index(int(bad.argmax()), block.shape)
            cell, gene = _position(place.matrix, (start + int(where[0]), *map(int, where[1:])))
            what = "negative value" if finite[where] else "value"
            first_bad = f"{what} {block[where]} in cell '{cells[cell]}', gene '{place.var.index[gene]}'"
        good = block[finite]
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            integers = integers and bool((good == np.rint(good)).all())
    if _is_sparse(place.matrix) and place.matrix.nnz < np.prod(place.matrix.shape):
        low, high = min(low, 0.0), max(high, 0.0)  # the zeros that are not stored
    return Values(low, high, integers, first_bad)


def _is_sparse(matrix: Matrix) -> bool:
    return bool(sparse.issparse(matrix))  # without the type guard, which would hide CSR's attributes


def _rows_per_block(matrix: NDArray[Any]) -> int:
    return max(1, _BLOCK_VALUES // max(1, int(np.prod(matrix.shape[1:]))))


def _blocks(matrix: Matrix) -> Iterator[tuple[int, NDArray[Any]]]:
    values = matrix.data if _is_sparse(matrix) else matrix
    rows = _rows_per_block(values)
    for start in range(0, len(values), rows):
        yield start, values[start : start + rows]


def _position(matrix: Matrix, where: tuple[int, ...]) -> tuple[int, int]:
    """Turn a position in a dense matrix, or among the stored values of a sparse one, into cell and gene."""
    if not _is_sparse(matrix):
        return where[0], where[1]
    major = int(matrix.indptr.searchsorted(where[0], side="right")) - 1
    minor = int(matrix.indices[where[0]])
    return (major, minor) if matrix.format == "csr" else (minor, major)


def _tell_spoilt_layer(seen: dict[str, Values], *, found: str) -> None:
    spoilt = f"layers['{keys.COUNTS}']"
    if found != spoilt and spoilt in seen:
        warn(f"{spoilt} does not hold counts ({seen[spoilt]}): took {found}.", DataWarning, stacklevel=4)
