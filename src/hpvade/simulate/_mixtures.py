"""Draw cells, sum their raw counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        Wanted fractions, shape (n_mixtures, n_types). A type without cells is left out.
    n_cells
        Cells per mixture.
    rng
        Source of randomness.
    source
        Donor or reference of each cell, coded from 0. When given, each type of a mixture comes from one.
    rna_weight
        Factor on the counts of each cell, shape (n_cells_available,): takes cells of several references to
        one RNA content. Default: 1.

    Returns
    -------
    Summed counts, shape (n_mixtures, n_genes), and the **realised** fractions (cells drawn / cells in all),
    shape (n_mixtures, n_types). The label is what was drawn, never what was wanted.
    """
    n_types = fractions.shape[1]
    available = np.bincount(cell_type, minlength=n_types) > 0
    wanted = np.where(available, fractions, 0.0)
    # A mixture of nothing but unavailable types becomes an even one of the available types.
    wanted[wanted.sum(1) == 0] = available
    drawn = rng.multinomial(n_cells, wanted / wanted.sum(1, keepdims=True))
    rows, cells = [], []
    for k in np.flatnonzero(available):
        rows.append(np.repeat(np.arange(len(drawn)), drawn[:, k]))
        pool = np.flatnonzero(cell_type == k)
        first, size = _pools(pool, None if source is None else source[pool], n=len(drawn), rng=rng)
        order = pool if source is None else pool[np.argsort(source[pool], kind="stable")]
        offset = rng.random(rows[-1].size) * np.repeat(size, drawn[:, k])
        cells.append(order[np.repeat(first, drawn[:, k]) + offset.astype(np.int64)])
    row, cell = np.concatenate(rows), np.concatenate(cells)
    factor = np.ones(counts.shape[0]) if rna_weight is None else rna_weight
    weight = sp.csr_matrix(
        (factor[cell].astype(np.float32), (row, cell)), shape=(len(drawn), counts.shape[0]), dtype=np.float32
    )
    return _dense_product(weight, counts), drawn / n_cells


def _pools(
    pool: NDArray[np.integer], source: NDArray[np.integer] | None, *, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """For each of n mixtures: where its pool of cells starts among those sorted by source, and its size."""
    if source is None:
        return np.zeros(n, np.int64), np.full(n, pool.size)
    size_of = np.unique(source, return_counts=True)[1]
    first_of = np.concatenate([[0], np.cumsum(size_of)[:-1]])
    chosen = rng.integers(0, size_of.size, n)
    return first_of[chosen], size_of[chosen]


def _dense_product(
    weight: sp.csr_matrix, counts: sp.csr_matrix, *, block_size: int = 500
) -> NDArray[np.float32]:
    """Multiply by blocks of mixtures, so that no second dense copy of the result is ever held."""
    total = np.empty((weight.shape[0], counts.shape[1]), np.float32)
    for start in range(0, len(total), block_size):
        total[start : start + block_size] = (weight[start : start + block_size] @ counts).toarray()
    return total
