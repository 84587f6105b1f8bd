"""Effects between a sum of cells and a measured bulk sample: platform effects and sequencing depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp import counts_to_cpm
from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.simulate._config import SimulateConfig

_MAX_EFFECT = 7.0  # natural log of a factor: a thousandfold

# Ranges of the strength of platform effects that training does not simulate
_LAPLACE_SCALE = (0.2, 0.9)  # natural log
_SHARED_SD = (0.2, 1.0)  # natural log
_N_SHARED = 5
_LOST = (0.05, 0.3)  # share of genes
_LEFT = 0.05  # of the expression of a lost gene
_BACKGROUND = (0.0, 0.06)  # of the mean expression
_LOG_NORMAL_SD = 0.4  # natural log, beside lost genes and background


def add_platform_effect(
    cpm: NDArray[np.floating], width: float, *, tail: float = 0.0, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Multiply each gene of each mixture by a random factor.

    The width of a mixture is uniform between 0 and ``width``, so that the network is trained on mild and
    severe platform effects alike; log factor ~ N(0, (width · v)²) with log v ~ N(0, ``tail``²) per gene and
    mixture. Real platforms agree on most genes and differ strongly on a few. With a tail, the network learns
    not to depend on any single gene.

    Parameters
    ----------
    cpm
        Mixtures, shape (n_mixtures, n_genes), CPM.
    width
        Maximum width, natural log.
    tail
        Spread of the width over genes; 0 makes the factors log-normal.

    Returns
    -------
    CPM, same shape; rows sum to 1e6.
    """
    widths = rng.random((cpm.shape[0], 1), dtype=np.float32) * np.float32(width)
    effect = rng.standard_normal(cpm.shape, dtype=np.float32)
    if tail > 0:
        effect *= np.exp(np.float32(tail) * rng.standard_normal(cpm.shape, dtype=np.float32))
    factors = np.exp((widths * effect).clip(-_MAX_EFFECT, _MAX_EFFECT))
    return counts_to_cpm(cpm.astype(np.float32, copy=False) * factors)


def add_depth_noise(
    cpm: NDArray[np.floating], depth: tuple[float, float], *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sequence each mixture to a depth that is log-uniform within ``depth``: Poisson reads, scaled to CPM.

    Parameters and the returned array are as for `add_platform_effect`.
    """
    reads = np.exp(rng.uniform(np.log(depth[0]), np.log(depth[1]), (cpm.shape[0], 1)))
    sampled = rng.poisson(cpm / CPM_TOTAL * reads)
    sampled[sampled.sum(1) == 0] = (
        1  # at a depth so low that nothing was read, a sample carries no information
    )
    return counts_to_cpm(sampled).astype(np.float32)


def add_effects(
    cpm: NDArray[np.floating], config: SimulateConfig, *, rng: np.random.Generator
) -> NDArray[np.floating]:
    """Add the platform effect, then the sequencing noise, as set in ``config``."""
    if config.platform_width > 0:
        cpm = add_platform_effect(cpm, config.platform_width, tail=config.platform_tail, rng=rng)
    if config.depth is not None:
        cpm = add_depth_noise(cpm, config.depth, rng=rng)
    return cpm


def add_unseen_platform_effects(
    cpm: NDArray[np.floating], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Add platform effects of kinds that training does not simulate, for calibration.

    The mixtures get four kinds of effects in turn, each of random strength:

    - an independent factor per gene, with heavy tails (Laplace);
    - factors that mixtures share: five directions in gene space, as caused by gene length or GC content;
    - genes that the platform hardly detects, and log-normal factors;
    - a background on all genes, exponential over genes, as on arrays, and log-normal factors.

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
    log_normal = _LOG_NORMAL_SD * rng.standard_normal((n, n_genes))
    shared = rng.standard_normal((n, _N_SHARED)) @ rng.standard_normal((_N_SHARED, n_genes))
    lost = rng.random((n, n_genes)) < rng.uniform(*_LOST, (n, 1))
    log_factor = np.choose(
        kind,
        [
            rng.laplace(size=(n, n_genes)) * rng.uniform(*_LAPLACE_SCALE, (n, 1)),
            shared / np.sqrt(_N_SHARED) * rng.uniform(*_SHARED_SD, (n, 1)),
            log_normal + np.log(_LEFT) * lost,
            log_normal,
        ],
    )
    level = cpm.mean(1, keepdims=True) * rng.uniform(*_BACKGROUND, (n, 1)) * (kind == 3)
    return counts_to_cpm(cpm * np.exp(log_factor) + level * rng.exponential(size=(n, n_genes)))
