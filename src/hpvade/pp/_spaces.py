"""The three spaces, and the only bridges between them.

======== ============================================ =============== ==================================
space    definition                                   typical values  who lives there
======== ============================================ =============== ==================================
counts   raw integer counts                           0–1e4           reference cells, sums of cells
CPM      counts / total · 1e6, linear, never logged   0–5e4           bulk samples, signature, mixtures
log      log1p(counts / total · 1e4)                  0–10            VAE, network input, squared errors
======== ============================================ =============== ==================================

Mixing cell types is linear in CPM and nowhere else; expression is compared in log space and nowhere else.
No other module divides by a total or takes a logarithm of expression. "Total" is always the sum over the
genes of the array that is passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import array_api_compat
import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from hpvade._types import Array

CPM_TOTAL = 1e6
LOG_TOTAL = 1e4


def counts_to_cpm(counts: Array) -> Array:
    """Scale counts to CPM.

    Parameters
    ----------
    counts
        Counts or any linear expression, shape (..., n_genes), each row with a positive total. NumPy or torch.

    Returns
    -------
    CPM, same shape; each row sums to 1e6, so the scale of a row does not matter.
    """
    return counts / counts.sum(-1)[..., None] * CPM_TOTAL


def cpm_to_log(cpm: Array) -> Array:
    """Take CPM to log space: log1p(CPM / 100).

    Exact, not approximate: 1e4 / 1e6 = 1 / 100, so this is the log space of the counts behind the CPM.

    Parameters
    ----------
    cpm
        CPM, any shape. NumPy or torch.
    """
    return array_api_compat.array_namespace(cpm).log1p(cpm * (LOG_TOTAL / CPM_TOTAL))


def floored_log(cpm: Array, floor: float) -> Array:
    """Take the natural logarithm above a floor: log(CPM + floor).

    Parameters
    ----------
    cpm
        CPM, any shape. NumPy or torch.
    floor
        CPM below which differences are noise.
    """
    return array_api_compat.array_namespace(cpm).log(cpm + floor)


def counts_to_log(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Take counts to log space, sparse: log1p(counts / total · 1e4) per cell.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells, n_genes). It is left untouched. A cell without counts stays zero.

    Returns
    -------
    Log-space float32 CSR of the same shape and sparsity; expm1 of a cell sums to 1e4.
    """
    counts = sp.csr_matrix(counts)
    totals = np.asarray(counts.sum(1), dtype=np.float64).ravel()
    scale = np.divide(LOG_TOTAL, totals, out=np.zeros_like(totals), where=totals > 0)
    log = counts.astype(np.float32)  # a copy
    log.data = np.log1p(log.data * np.repeat(scale, np.diff(log.indptr))).astype(np.float32)
    return log
