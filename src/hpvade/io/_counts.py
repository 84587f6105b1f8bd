"""Finding the raw counts of an AnnData, and checking that they are counts."""

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

_BLOCK_VALUES = 2**20  # values checked or converted at a time
_LARGEST_LOG = 30.0  # larger values are not logarithms of expression

Matrix = Any  # a SciPy sparse matrix (CSR or CSC) or a NumPy array, cells × genes


@dataclass(frozen=True)
class Candidate:
    """A matrix of an AnnData that might hold counts: its name, values, and genes."""

    name: str
    matrix: Matrix
    var: pd.DataFrame


@dataclass(frozen=True)
class ValueSummary:
    """Summary of a matrix; ``first_bad`` describes the first value that cannot be a count."""

    low: float
    high: float
    integers: bool
    first_bad: str

    @property
    def are_counts(self) -> bool:
        """Whether the values are finite, non-negative, whole numbers, and not just 0 and 1."""
        return not self.first_bad and self.integers and self.high > 1

    def __str__(self) -> str:
        text = f"{self.low:.4g} … {self.high:.4g}"
        if self.first_bad:
            return f"{text}, {self.first_bad}"
        if self.integers:
            return f"{text}, no value above 1"
        looks = " (looks log-normalised)" if self.high <= _LARGEST_LOG else ""
        return f"{text}, not whole numbers{looks}"


def find_counts(adata: AnnData, *, layer: str | None, path: Path) -> Candidate:
    """Return the first matrix of ``adata`` that holds counts.

    Parameters
    ----------
    adata
        Cells × genes.
    layer
        The only matrix to check: the name of a layer, ``"X"`` or ``"raw"``. If None, checks
        ``layers["counts"]``, ``X``, ``raw.X``, and then the other layers.
    path
        The file, for messages.

    Raises
    ------
    CountsError
        If no matrix holds counts; reports what each of them holds.
    """
    checked: dict[str, ValueSummary] = {}
    for candidate in _candidates(adata) if layer is None else [_named(adata, layer=layer, path=path)]:
        checked[candidate.name] = _summarise(candidate, cells=adata.obs_names)
        if checked[candidate.name].are_counts:
            _warn_of_unusable_layer(checked, found=candidate.name)
            return candidate
    found = "\n".join(f"  {name}: {values}" for name, values in checked.items()) or "  (no matrix)"
    msg = (
        f"No raw counts were found in {path}. Checked:\n{found}\n"
        "Counts are finite, non-negative whole numbers. Store them in layers['counts'], "
        "or pass --layer if they are elsewhere."
    )
    raise CountsError(msg)


def describe_non_counts(matrix: Matrix, *, cells: pd.Index, var: pd.DataFrame) -> str:
    """Describe the values of a matrix if they are not counts; an empty text if they are."""
    values = _summarise(Candidate("counts", matrix, var), cells=cells)
    return "" if values.are_counts else str(values)


def require_counts(block: Candidate, *, cells: pd.Index, path: Path) -> None:
    """Check some cells of a matrix that holds counts.

    Raises
    ------
    CountsError
        If a value is not a count.
    """
    values = _summarise(block, cells=cells)
    if values.first_bad or not values.integers:
        msg = (
            f"{path}: {block.name} contains counts in its first cells but not in later ones ({values}). "
            "Fix the file, or pass --layer if the counts are elsewhere."
        )
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


def _candidates(adata: AnnData) -> Iterator[Candidate]:
    if keys.COUNTS in adata.layers:
        yield _layer(adata, keys.COUNTS)
    if adata.X is not None:
        yield Candidate("X", adata.X, adata.var)
    if adata.raw is not None:
        yield Candidate("raw.X", adata.raw.X, adata.raw.var)
    for name in adata.layers:
        if name != keys.COUNTS:
            yield _layer(adata, name)


def _named(adata: AnnData, *, layer: str, path: Path) -> Candidate:
    if layer in adata.layers:
        return _layer(adata, layer)
    for candidate in _candidates(adata):
        if (layer, candidate.name) in {("X", "X"), ("raw", "raw.X")}:
            return candidate
    known = [name for name, values in (("X", adata.X), ("raw", adata.raw)) if values is not None]
    known += list(adata.layers)
    msg = (
        f"layer='{layer}' is not in {path}. Layers: {', '.join(known)}.{suggest(layer, known)} "
        "Choose one with --layer."
    )
    raise CountsError(msg)


def _layer(adata: AnnData, name: str) -> Candidate:
    return Candidate(f"layers['{name}']", adata.layers[name], adata.var)


def _summarise(candidate: Candidate, *, cells: pd.Index) -> ValueSummary:
    """Check every stored value, a block at a time."""
    low, high, integers, first_bad = np.inf, -np.inf, True, ""
    for start, block in _blocks(candidate.matrix):
        finite = np.isfinite(block)
        bad = ~finite | (block < 0)
        if bad.any() and not first_bad:
            where = np.unravel_index(int(bad.argmax()), block.shape)
            cell, gene = _position(candidate.matrix, (start + int(where[0]), *map(int, where[1:])))
            what = "negative value" if finite[where] else "value"
            first_bad = f"{what} {block[where]} in cell '{cells[cell]}', gene '{candidate.var.index[gene]}'"
        good = block[finite]
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            integers = integers and bool((good == np.rint(good)).all())
    if _is_sparse(candidate.matrix) and candidate.matrix.nnz < np.prod(candidate.matrix.shape):
        low, high = min(low, 0.0), max(high, 0.0)  # the zeros that are not stored
    return ValueSummary(low, high, integers, first_bad)


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
    """Return the cell and the gene of a position in a dense matrix, or among a sparse one's stored values."""
    if not _is_sparse(matrix):
        return where[0], where[1]
    major = int(matrix.indptr.searchsorted(where[0], side="right")) - 1
    minor = int(matrix.indices[where[0]])
    return (major, minor) if matrix.format == "csr" else (minor, major)


def _warn_of_unusable_layer(checked: dict[str, ValueSummary], *, found: str) -> None:
    expected = f"layers['{keys.COUNTS}']"
    if found != expected and expected in checked:
        msg = f"{expected} does not contain counts ({checked[expected]}); {found} was used instead."
        warn(msg, DataWarning, stacklevel=4)
