"""Values of matrices that may hold counts: what they are, and their conversion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from hpvade._errors import CountsError

from ._count_evidence import LARGEST_LOG, CellSample, why_not_counts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

_BLOCK_VALUES = 2**20  # values checked or converted at a time

Matrix = Any  # a SciPy sparse matrix (CSR or CSC) or a NumPy array, cells × genes


@dataclass(frozen=True)
class Candidate:
    """A matrix of an AnnData that might hold counts: its name, values, and genes."""

    name: str
    matrix: Matrix
    var: pd.DataFrame

    def sample(self) -> CellSample:
        """Return some of its cells."""
        return CellSample.draw(self.name, self.matrix, self.var.index)


@dataclass(frozen=True)
class ValueSummary:
    """Summary of a matrix.

    Attributes
    ----------
    low, high
        Smallest and largest value.
    integers
        Whether all values are whole numbers.
    first_bad
        Describes the first value that cannot be a count.
    other
        Describes what whole numbers are if not counts.
    total
        What every cell sums to, if the values are normalised.
    """

    low: float
    high: float
    integers: bool
    first_bad: str
    other: str = ""
    total: float | None = None

    @property
    def are_counts(self) -> bool:
        """Whether the values are finite, non-negative, whole numbers, not just 0 and 1, and nothing else."""
        whole = not self.first_bad and self.integers and self.high > 1
        return whole and not self.other and self.total is None

    @property
    def are_linear(self) -> bool:
        """Whether the values are not whole numbers, but too large for logarithms."""
        return not self.first_bad and not self.integers and self.high > LARGEST_LOG

    def __str__(self) -> str:
        text = f"{self.low:.4g} … {self.high:.4g}"
        if self.first_bad or self.other:
            return f"{text}, {self.first_bad or self.other}"
        if self.total is not None:
            return f"{text}, normalised: every cell sums to about {self.total:,.0f}"
        if self.integers:
            return f"{text}, no value above 1"
        looks = " (looks log-normalised)" if self.high <= LARGEST_LOG else ""
        return f"{text}, not whole numbers{looks}"


def describe_non_counts(
    matrix: Matrix, *, cells: pd.Index, var: pd.DataFrame, corrected: bool = False
) -> str:
    """Describe the values of a matrix if they are not counts; an empty text if they are.

    ``corrected`` counts only have to be finite and non-negative.
    """
    candidate = Candidate("counts", matrix, var)
    values = summarise(candidate, cells=cells)
    if corrected:
        return str(values) if values.first_bad else ""
    if values.are_counts:
        values = replace(values, other=why_not_counts(candidate.sample(), None))
    return "" if values.are_counts else str(values)


def require_counts(block: Candidate, *, cells: pd.Index, path: Path, corrected: bool = False) -> None:
    """Check some cells of a matrix that holds counts; ``corrected`` ones need not be whole numbers.

    Raises
    ------
    CountsError
        If a value is not a count.
    """
    values = summarise(block, cells=cells)
    if values.first_bad or not (values.integers or corrected):
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


def summarise(candidate: Candidate, *, cells: pd.Index) -> ValueSummary:
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
