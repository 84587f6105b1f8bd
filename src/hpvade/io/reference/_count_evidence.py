"""Evidence on whole numbers: counts, or bins, ranks and rounded values; and which of several are the counts.

It comes from a sample of cells, and from a matrix of normalised expression where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

_CELLS = 200  # examined
_ENOUGH_CELLS = 20  # for a conclusion
LARGEST_LOG = 30.0  # larger values are not logarithms of expression
# How to undo the transformation of normalised values; which one was used is not known.
_INVERSES: Final[Sequence[Callable[[NDArray[Any]], NDArray[Any]]]] = (
    np.expm1,
    lambda values: np.exp2(values) - 1,
    lambda values: np.power(10.0, values) - 1,
    np.square,
)
_ROUND_TOTALS = (1e4, 1e5, 1e6)  # to which expression is usually normalised
_SAME = 0.9999  # correlation of counts with their own normalised values, which are rounded in files


class Agreement(NamedTuple):
    """Correlation of a matrix with normalised expression, median over cells: linear, and as it is stored."""

    linear: float
    stored: float


@dataclass(frozen=True)
class CellSample:
    """Some cells of a matrix.

    Attributes
    ----------
    name
        Of the matrix, for messages.
    values
        Float64, shape (cells, genes).
    genes
        Their names.
    """

    name: str
    values: sparse.csr_matrix
    genes: pd.Index

    @classmethod
    def draw(cls, name: str, matrix: Any, genes: pd.Index) -> CellSample:  # noqa: ANN401
        """Take cells at equal distances, the same ones of every matrix of a file."""
        n_cells = matrix.shape[0]
        rows = np.unique(np.linspace(0, n_cells - 1, min(n_cells, _CELLS)).astype(int))
        values = sparse.csr_matrix(matrix[rows], dtype=np.float64)
        values.eliminate_zeros()
        return cls(name, values, genes)

    def plus(self, others: Sequence[CellSample]) -> CellSample:
        """Return the sum of this matrix and others of the same genes."""
        values = self.values
        for other in others:
            values = values + other.values
        return CellSample(" + ".join([self.name, *(other.name for other in others)]), values, self.genes)

    @property
    def totals(self) -> NDArray[np.float64]:
        """Sum of each cell."""
        return np.asarray(self.values.sum(1), dtype=np.float64).ravel()

    @property
    def detected(self) -> NDArray[np.integer]:
        """Number of genes with a value in each cell."""
        return np.diff(self.values.indptr)

    @property
    def is_sparse(self) -> bool:
        """Whether most values are 0, as in single cells; otherwise their range shows little."""
        return bool(np.median(self.detected) < 0.5 * self.values.shape[1])

    @property
    def is_whole(self) -> bool:
        """Whether it may hold counts: whole numbers, not negative, and not just 0 and 1."""
        data = self.values.data
        return bool(data.size and (data == np.rint(data)).all() and data.min() >= 0 and data.max() > 1)

    @property
    def is_normalised(self) -> bool:
        """Whether it may be normalised expression: not negative, and not whole numbers alone."""
        data = self.values.data
        return bool(
            data.size and np.isfinite(data).all() and data.min() >= 0 and (data != np.rint(data)).any()
        )

    def constant_total(self) -> float | None:
        """Return the sum of a cell if all cells have almost the same, as after normalisation."""
        totals = self.totals
        same = len(totals) >= _ENOUGH_CELLS and totals.std() <= 0.05 * totals.mean()
        return float(np.median(totals)) if same else None

    def rounded_total(self) -> float | None:
        """Return the sum of a cell if the values are normalised ones that were rounded.

        Cells then sum to about 10,000 or one million, and few values are 1. Counts can have equal sums after
        subsampling, but their smallest value is 1.
        """
        total, values = self.constant_total(), self.values
        if total is None or not self.is_sparse or not np.isclose(total, _ROUND_TOTALS, rtol=0.02).any():
            return None
        smallest = np.minimum.reduceat(values.data, values.indptr[:-1][self.detected > 0])
        return total if np.median(smallest) > 1 else None

    def reproduces(self, normalised: CellSample) -> bool:
        """Whether normalised expression was made of this matrix."""
        return self.agreement(normalised).linear > _SAME

    def agreement(self, normalised: CellSample) -> Agreement:
        """Correlate the genes that both matrices have."""
        own, other = self.values, normalised.values
        if not self.genes.equals(normalised.genes):
            shared = self.genes.intersection(normalised.genes).unique()
            own, other = (
                own[:, _positions(self.genes, shared)],
                other[:, _positions(normalised.genes, shared)],
            )
        if other.nnz and other.data.max() > LARGEST_LOG:
            linear = max(_correlation(own, other), _correlation(own, _apply(np.square, other)))
            return Agreement(linear, _correlation(own, _apply(np.log1p, other)))
        linear = max(_correlation(own, _apply(inverse, other)) for inverse in _INVERSES)
        return Agreement(linear, _correlation(own, other))


def why_not_counts(sample: CellSample, normalised: CellSample | None) -> str:
    """Return why whole numbers are not counts but bins, ranks or logarithms; empty if nothing shows it.

    Parameters
    ----------
    sample
        Whole numbers.
    normalised
        Normalised expression of the same cells.
    """
    found = None if normalised is None else sample.agreement(normalised)
    filled = sample.detected > 0
    if filled.sum() < _ENOUGH_CELLS or (found is not None and found.linear > _SAME):
        return ""
    largest = sample.values.max(axis=1).toarray().ravel()[filled]
    low, middle, high = np.quantile(largest, [0.05, 0.5, 0.95])
    if sample.is_sparse and middle >= 3 and high - low <= 0.1 * middle:
        return f"whole numbers, but the largest is {middle:.0f} in almost every cell, as in binned values"
    if np.mean(largest == sample.detected[filled]) > 0.8 and middle >= _ENOUGH_CELLS:
        return "whole numbers, but ranks of the genes in each cell"
    if normalised is not None and found is not None and found.stored > max(found.linear, 0.8):
        return f"whole numbers, but binned or rounded logarithms: they follow {normalised.name} as it is"
    return ""


def choose_counts(
    samples: Sequence[CellSample], normalised: CellSample | None
) -> tuple[CellSample, str] | None:
    """Choose the matrix that holds all counts among several of whole numbers.

    Returns
    -------
    The sample of that matrix and the reason; None if it is doubtful.
    """
    if normalised is not None:
        same = [sample for sample in samples if sample.reproduces(normalised)]
        if same:
            largest = max(same, key=lambda sample: sample.totals.sum())
            return largest, f"{normalised.name} holds its normalised values"
    whole = max(samples, key=lambda sample: sample.totals.sum())
    parts = [sample for sample in samples if sample is not whole]
    if is_sum(whole, parts):
        return whole, "it is the sum of the others"
    if all(_contains(whole, part) for part in parts):
        return whole, "the others are parts of it"
    return None


def is_sum(whole: CellSample, parts: Sequence[CellSample]) -> bool:
    """Whether a matrix is the sum of two or more others."""
    if len(parts) < 2 or any(part.values.shape != whole.values.shape for part in parts):
        return False
    return _equal(whole, parts[0].plus(parts[1:]))


def distinct(samples: Sequence[CellSample]) -> list[CellSample]:
    """Return the samples without those that equal an earlier one."""
    kept: list[CellSample] = []
    for sample in samples:
        if not any(_equal(sample, other) for other in kept):
            kept.append(sample)
    return kept


def _positions(genes: pd.Index, names: pd.Index) -> NDArray[np.integer]:
    """Return the position of the first gene of each name."""
    first = np.flatnonzero(~genes.duplicated())
    return first[genes[first].get_indexer(names)]


def _equal(one: CellSample, other: CellSample) -> bool:
    return one.values.shape == other.values.shape and bool(abs(one.values - other.values).max() == 0)


def _contains(whole: CellSample, part: CellSample) -> bool:
    return whole.values.shape == part.values.shape and bool((part.values - whole.values).max() <= 0)


def _apply(function: Callable[[NDArray[Any]], NDArray[Any]], values: sparse.csr_matrix) -> sparse.csr_matrix:
    """Apply a function that leaves 0 as it is to each value."""
    return sparse.csr_matrix((function(values.data), values.indices, values.indptr), shape=values.shape)


def _correlation(one: sparse.csr_matrix, other: sparse.csr_matrix) -> float:
    """Pearson correlation over genes, median over the cells where it is defined; NaN if it is nowhere."""
    n = one.shape[1]
    sums = [np.asarray(part.sum(1)).ravel() for part in (one, other)]
    squares = [np.asarray(part.multiply(part).sum(1)).ravel() for part in (one, other)]
    products = np.asarray(one.multiply(other).sum(1)).ravel()
    covariance = n * products - sums[0] * sums[1]
    scale = np.sqrt((n * squares[0] - sums[0] ** 2) * (n * squares[1] - sums[1] ** 2))
    defined = scale > 0
    return float(np.median(covariance[defined] / scale[defined])) if defined.any() else np.nan
