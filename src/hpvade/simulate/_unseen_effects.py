"""Platform effects of kinds that training does not know, for calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp import counts_to_cpm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAVY = (0.2, 0.9)  # scale of a Laplace distribution, log scale
_SHARED = (0.2, 1.0)  # sd, log scale
_N_SHARED = 5
_LOST = (0.05, 0.3)  # share of genes
_LEFT = 0.05  # of the expression of a lost gene
_BACKGROUND = (0.0, 0.06)  # of the mean expression
_WIDTH = 0.4  # sd of the log-normal effect beside lost genes and background


def add_unseen_platform_effects(
    cpm: NDArray[np.floating], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give each mixture in turn one of four effects, each of random strength.

    - Each gene a factor of its own, with heavy tails (Laplace).
    - Factors that mixtures share: five directions in gene space, as gene length or GC content bring about.
    - Genes that the platform all but misses, beside log-normal factors.
    - A background on all genes, exponential over genes, as arrays have it, beside log-normal factors.

    Parameters
    ----------
    cpm
        Mixtures, shape (n_mixtures, n_genes), CPM.
    rng
        Source of randomness.

    Returns
    -------
    CPM, same shape; rows sum to 1e6.
    """
    n, n_genes = cpm.shape
    kind = np.arange(n)[:, None] % 4
    log_normal = _WIDTH * rng.standard_normal((n, n_genes))
    shared = rng.standard_normal((n, _N_SHARED)) @ rng.standard_normal((_N_SHARED, n_genes))
    lost = rng.random((n, n_genes)) < rng.uniform(*_LOST, (n, 1))
    log_factor = np.choose(
        kind,
        [
            rng.laplace(size=(n, n_genes)) * rng.uniform(*_HEAVY, (n, 1)),
            shared / np.sqrt(_N_SHARED) * rng.uniform(*_SHARED, (n, 1)),
            log_normal + np.log(_LEFT) * lost,
            log_normal,
        ],
    )
    level = cpm.mean(1, keepdims=True) * rng.uniform(*_BACKGROUND, (n, 1)) * (kind == 3)
    return counts_to_cpm(cpm * np.exp(log_factor) + level * rng.exponential(size=(n, n_genes)))
