"""The embedded reference: 700 annotated PBMC that are part of the scanpy package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import CountsError
from hpvade.pp._spaces import LOG_TOTAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 5e-4  # the stored values have three decimals
_TOTALS_TRIED = 8  # on each side of the first estimate of a cell's total; rounding moves it by at most two

_COARSE = {
    "CD14+ Monocyte": "Monocyte",
    "CD19+ B": "B",
    "CD34+": "CD34+ progenitor",
    "CD4+/CD25 T Reg": "CD4 T",
    "CD4+/CD45RA+/CD25- Naive T": "CD4 T",
    "CD4+/CD45RO+ Memory": "CD4 T",
    "CD56+ NK": "NK",
    "CD8+ Cytotoxic T": "CD8 T",
    "CD8+/CD45RA+ Naive Cytotoxic": "CD8 T",
    "Dendritic": "Dendritic",
}


def pbmc68k_reduced() -> AnnData:
    """Return the embedded reference: 700 PBMC × 765 genes with integer counts.

    The counts are recovered from `scanpy.datasets.pbmc68k_reduced`, whose ``raw`` holds log-normalised
    values, and are checked to be integers.

    Returns
    -------
    Cells × genes: ``layers["counts"]`` and ``X`` counts, ``obs["cell_type"]`` seven types,
    ``obs["bulk_labels"]`` the ten original labels.

    References
    ----------
    Zheng et al. (2017) Massively parallel digital transcriptional profiling of single cells. Nat Commun 8.
    """
    import scanpy as sc  # noqa: PLC0415 - takes half a second, and only the demo needs it

    source = sc.datasets.pbmc68k_reduced()
    counts = invert_log_normalisation(sp.csr_matrix(source.raw.X))
    obs = source.obs[["bulk_labels"]].copy()
    obs[_keys.CELL_TYPE] = obs["bulk_labels"].astype(str).map(_COARSE).astype("category")
    obs.index.name = None
    return AnnData(counts.copy(), obs=obs, var=source.raw.var[[]].copy(), layers={_keys.COUNTS: counts})


def invert_log_normalisation(log: sp.csr_matrix) -> sp.csr_matrix:
    """Recover the integer counts behind log1p(counts / total · 1e4), cell by cell.

    A cell's smallest positive value corresponds to a count of 1 and gives its total up to rounding. Of the
    integers near it, the total that best explains all values of the cell is used.

    Parameters
    ----------
    log
        Shape (n_cells, n_genes), rounded to three decimals. Totals are over all genes of the experiment,
        so they may exceed the sum over these genes.

    Returns
    -------
    Counts, same shape and sparsity, float32 holding integers.

    Raises
    ------
    CountsError
        No integer counts explain the values of a cell; the message gives the position of the first such cell.
    """
    counts = log.astype(np.float64)
    for cell, (start, stop) in enumerate(zip(log.indptr[:-1], log.indptr[1:], strict=True)):
        if stop > start:
            recovered, error = _cell_counts(counts.data[start:stop])
            if error > _ROUNDING + 1e-6:
                msg = (
                    f"Cell {cell} is not log1p(counts / total · 1e4) of integers: "
                    f"the best fit differs by {error:.2g}. Use the original counts."
                )
                raise CountsError(msg)
            counts.data[start:stop] = recovered
    return counts.astype(np.float32)


def _cell_counts(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Integer counts of one cell, and the largest difference between a value and what they predict."""
    total = round(LOG_TOTAL / np.expm1(values.min()))
    totals = np.arange(max(1, total - _TOTALS_TRIED), total + _TOTALS_TRIED + 1)[:, None]
    candidates = np.maximum(np.rint(np.expm1(values) * totals / LOG_TOTAL), 1)
    errors = np.abs(np.log1p(candidates * LOG_TOTAL / totals) - values).max(1)
    best = errors.argmin()
    return candidates[best], float(errors[best])
