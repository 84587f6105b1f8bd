"""Mixtures: draw cells and sum their raw counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np
import scipy.sparse as sp
import torch

from hpvade._errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 500  # mixtures whose cells are drawn at once


def draw_mixtures(
    counts: sp.csr_matrix,
    cell_type: NDArray[np.integer],
    *,
    fractions: NDArray[np.floating],
    n_cells: int,
    rng: np.random.Generator,
    source: NDArray[np.integer] | None = None,
    rna_weight: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Draw cells with replacement and sum their counts.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells_available, n_genes), CSR.
    cell_type
        Type of each cell as 0 … n_types-1, shape (n_cells_available,).
    fractions
        Target fractions, shape (n_mixtures, n_types). A type without cells is left out.
    n_cells
        Cells per mixture.
    rng
        Source of randomness.
    source
        Donor or reference of each cell, coded from 0. If given, each type of a mixture comes from one source.
    rna_weight
        Factor on the counts of each cell, shape (n_cells_available,), which gives cells of several references
        one RNA content. Default: 1.

    Returns
    -------
    Summed counts, shape (n_mixtures, n_genes), and the **realised** fractions (cells drawn / all cells of the
    mixture), shape (n_mixtures, n_types). The label is what was drawn, never the target.

    Raises
    ------
    InputError
        ``cell_type``, ``source`` or ``rna_weight`` does not have one value for each cell.
    """
    counts = sp.csr_matrix(counts)
    for name, values in (("cell_type", cell_type), ("source", source), ("rna_weight", rna_weight)):
        if values is not None and len(values) != counts.shape[0]:
            msg = f"{name} has {len(values)} values for {counts.shape[0]} cells; give one value per cell."
            raise InputError(msg)
    n_types = fractions.shape[1]
    available = np.bincount(cell_type, minlength=n_types) > 0
    target = np.where(available, fractions, 0.0)
    # A mixture of unavailable types alone becomes an even mixture of the available types.
    target[target.sum(1) == 0] = available
    drawn = rng.multinomial(n_cells, target / target.sum(1, keepdims=True))
    pools = _Pools.from_cells(cell_type, source, n_types=n_types)
    sums = np.empty((len(drawn), counts.shape[1]), np.float32)
    for start in range(0, len(drawn), _BLOCK):
        block = slice(start, start + _BLOCK)
        sums[block] = sum_rows(counts, pools.draw(drawn[block], rng=rng), weight=rna_weight)
    return sums, drawn / n_cells


def sum_rows(
    counts: sp.csr_matrix, rows: NDArray[np.integer], *, weight: NDArray[np.floating] | None = None
) -> NDArray[np.float32]:
    """Sum chosen rows of a sparse matrix for each mixture.

    Each nonzero is read once and added in place, so the time is that of reading the chosen rows. Mixtures are
    distributed over as many threads as torch may use. One thread sums a mixture in the order of its rows, so
    the number of threads does not change the result.

    Parameters
    ----------
    counts
        Shape (n_rows, n_genes), CSR, float32.
    rows
        Rows to sum, shape (n_mixtures, n_cells), 0 … n_rows-1 (not checked); a row may be repeated.
    weight
        Factor of each row, shape (n_rows,). Default: 1.

    Returns
    -------
    Shape (n_mixtures, n_genes).
    """
    sums = np.zeros((len(rows), counts.shape[1]), np.float32)
    factor = np.empty(0, np.float32) if weight is None else weight.astype(np.float32)
    before = numba.get_num_threads()
    numba.set_num_threads(min(torch.get_num_threads(), before))
    try:
        _add_rows(counts.data, counts.indices, counts.indptr, rows, factor, sums)
    finally:
        numba.set_num_threads(before)
    return sums


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def _add_rows(  # noqa: PLR0917 - compiled code takes arrays, not a matrix
    data: NDArray[np.float32],
    indices: NDArray[np.integer],
    indptr: NDArray[np.integer],
    rows: NDArray[np.integer],
    factor: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Add the rows to ``sums``; an empty ``factor`` means a factor of 1."""
    for i in numba.prange(rows.shape[0]):
        own = sums[i]
        for c in range(rows.shape[1]):
            row = rows[i, c]
            if factor.size:
                f = factor[row]
                for at in range(indptr[row], indptr[row + 1]):
                    own[indices[at]] += f * data[at]
            else:
                for at in range(indptr[row], indptr[row + 1]):
                    own[indices[at]] += data[at]


class _Pools(NamedTuple):
    """Cells sorted by type and, within a type, by source, with the start and size of each source.

    ``first`` and ``size`` have one row for each type, padded to the largest number of sources.
    """

    cells: NDArray[np.integer]
    first: NDArray[np.integer]
    size: NDArray[np.integer]
    n_sources: NDArray[np.integer]

    @classmethod
    def from_cells(
        cls, cell_type: NDArray[np.integer], source: NDArray[np.integer] | None, *, n_types: int
    ) -> _Pools:
        source = np.zeros(len(cell_type), np.int64) if source is None else source
        cells = np.lexsort([source, cell_type])
        size = np.zeros((n_types, source.max() + 1), np.int64)
        np.add.at(size, (cell_type, source), 1)
        first = (size.ravel().cumsum() - size.ravel()).reshape(size.shape)
        present = np.argsort(size == 0, axis=1, kind="stable")  # sources with cells of the type come first
        return cls(
            cells,
            np.take_along_axis(first, present, 1),
            np.take_along_axis(size, present, 1),
            (size > 0).sum(1),
        )

    def draw(self, drawn: NDArray[np.integer], *, rng: np.random.Generator) -> NDArray[np.integer]:
        """Draw cells with replacement, each type of a mixture from one of its sources.

        ``drawn``: cells of each type, shape (n_mixtures, n_types). Returns (n_mixtures, n_cells).
        """
        types = np.arange(drawn.shape[1])
        chosen = (rng.random(drawn.shape) * self.n_sources).astype(np.int64)
        first, size = (
            table[types, chosen].ravel().repeat(drawn.ravel()) for table in (self.first, self.size)
        )
        at = first + (rng.random(first.size) * size).astype(np.int64)
        return self.cells[at].reshape(len(drawn), -1)
