"""The four spaces of expression, the bridges between them, and the floors of every logarithm and ratio.

=========== ============================================ =============== ===================================
space       definition                                   typical values  used for
=========== ============================================ =============== ===================================
counts      raw integer counts                           0–1e4           reference cells, sums of cells
CPM         counts / total · 1e6, linear, never logged   0–5e4           bulk samples, signature, mixtures
log         log1p(counts / total · 1e4)                  0–10            network input and output, losses
floored log log(CPM + floor)                             2–11            markers, cell states, fit to bulk
=========== ============================================ =============== ===================================

Cell types mix linearly in CPM and in no other space. "Total" is always the sum over the genes of the array
that is passed in.

A logarithm of expression is log1p(CPM / 100), `cpm_to_log` or `counts_to_log`, or log(CPM + floor),
`floored_log`. Code that cannot call these functions, namely compiled loops and operations in place in
`hpvade.deconvolve`, uses the same formulas with a floor defined here. `hpvade.io` converts logged bulk tables
to linear values, and `hpvade.datasets` recovers counts from log space, before anything else uses them.
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

# Floors, CPM. Below its floor, the ratio of two values says more about sampling noise than about expression.
MARKER_FLOOR = 20.0  # one type against the others when markers are ranked
PROFILE_FLOOR = 25.0  # one summed profile against another: a state and its type, the types of a signature
NOISE_FLOOR = 25.0  # a bulk sample against the model: bulk is noisy at about this level on every platform
EXPRESSION_FLOOR = 10.0  # a sample against its fit, where expression per type is estimated


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

    1e4 / 1e6 = 1 / 100, so the result is exactly the log space of the counts behind the CPM.

    Parameters
    ----------
    cpm
        CPM, any shape. NumPy or torch.
    """
    return array_api_compat.array_namespace(cpm).log1p(cpm * (LOG_TOTAL / CPM_TOTAL))


def floored_log(cpm: Array, floor: float) -> Array:
    """Take CPM to floored log space: log(CPM + floor).

    Parameters
    ----------
    cpm
        CPM, any shape. NumPy or torch.
    floor
        CPM below which differences are noise; one of the floors of this module, or of the configuration.
    """
    return array_api_compat.array_namespace(cpm).log(cpm + floor)


def counts_to_log(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Take counts to log space, sparse: log1p(counts / total · 1e4) per cell.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells, n_genes); not modified. A cell without counts stays zero.

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
