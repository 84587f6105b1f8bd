"""What lies between a sum of cells and a measured bulk sample: platform effects and sequencing depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp import counts_to_cpm
from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.simulate._config import SimulateConfig


def add_platform_effect(
    cpm: NDArray[np.floating], width: float, *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Multiply each gene of each mixture by a log-normal factor.

    The width of a mixture is uniform between 0 and ``width``, so that a network meets mild and severe
    platforms alike; log factor ~ N(0, width²) per gene and mixture.

    Parameters
    ----------
    cpm
        Mixtures, shape (n_mixtures, n_genes), CPM.

    Returns
    -------
    CPM, same shape; rows sum to 1e6.
    """
    widths = rng.random((cpm.shape[0], 1), dtype=np.float32) * np.float32(width)
    factors = np.exp(widths * rng.standard_normal(cpm.shape, dtype=np.float32))
    return counts_to_cpm(cpm.astype(np.float32, copy=False) * factors)


def add_depth_noise(
    cpm: NDArray[np.floating], depth: tuple[float, float], *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sequence each mixture to a depth that is log-uniform within ``depth``: Poisson reads, again in CPM.

    Parameters and the returned array are as for `add_platform_effect`.
    """
    reads = np.exp(rng.uniform(np.log(depth[0]), np.log(depth[1]), (cpm.shape[0], 1)))
    sampled = rng.poisson(cpm / CPM_TOTAL * reads)
    sampled[sampled.sum(1) == 0] = 1  # a depth so low that nothing was read carries no information
    return counts_to_cpm(sampled).astype(np.float32)


def add_effects(
    cpm: NDArray[np.floating], config: SimulateConfig, *, rng: np.random.Generator
) -> NDArray[np.floating]:
    """Add the platform effect, then the sequencing noise, as far as ``config`` asks for them."""
    if config.platform_width > 0:
        cpm = add_platform_effect(cpm, config.platform_width, rng=rng)
    if config.depth is not None:
        cpm = add_depth_noise(cpm, config.depth, rng=rng)
    return cpm
