"""What lies between a sum of cells and a measured bulk sample: platform effects and sequencing depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp import counts_to_cpm
from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.simulate._config import SimulateConfig


_LARGEST_EFFECT = 7.0  # of a log factor: a thousandfold


def add_platform_effect(
    cpm: NDArray[np.floating], width: float, *, tail: float = 0.0, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Multiply each gene of each mixture by a random factor.

    The width of a mixture is uniform between 0 and ``width``, so that a network meets mild and severe
    platforms alike; log factor ~ N(0, (width · v)²) with log v ~ N(0, ``tail``²) per gene and mixture. Real
    platforms agree on most genes and are far apart on a few: with a tail, a network learns not to rest on
    any one gene.

    Parameters
    ----------
    cpm
        Mixtures, shape (n_mixtures, n_genes), CPM.
    width
        Largest width, in natural logarithms.
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
    factors = np.exp((widths * effect).clip(-_LARGEST_EFFECT, _LARGEST_EFFECT))
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
        cpm = add_platform_effect(cpm, config.platform_width, tail=config.platform_tail, rng=rng)
    if config.depth is not None:
        cpm = add_depth_noise(cpm, config.depth, rng=rng)
    return cpm
