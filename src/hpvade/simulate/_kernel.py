"""The compiled loop of simulation: sums of rows of a sparse matrix, straight into a dense one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
import torch

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray


def sum_rows(
    counts: sp.csr_matrix, rows: NDArray[np.integer], *, weight: NDArray[np.floating] | None = None
) -> NDArray[np.float32]:
    """Sum chosen rows of a sparse matrix for each mixture.

    Each nonzero is read once and added in place: the time is that of reading the chosen rows. Mixtures are
    spread over as many processor threads as torch may use. Each is summed by one of them, in the order of its
    rows, so that the number of threads changes nothing.

    Parameters
    ----------
    counts
        Shape (n_rows, n_genes), CSR, float32.
    rows
        Rows to sum, shape (n_mixtures, n_cells), 0 … n_rows-1, which is not checked; a row may come again.
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
    """Add to ``sums``; an empty ``factor`` stands for ones."""
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
