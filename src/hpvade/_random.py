"""One seed in, independent generators out: no global random state is touched."""

from __future__ import annotations

import zlib

import numpy as np


def child_rng(seed: int, *stage: str | int) -> np.random.Generator:
    """Return the generator of one stage of one run.

    Parameters
    ----------
    seed
        The run's seed.
    stage
        What the generator is for, for instance ``"mixtures"`` or ``("epoch", 3)``. The same seed and
        stage give the same stream; different stages give independent ones, whatever their order.
    """
    key = zlib.crc32("/".join(map(str, stage)).encode())
    return np.random.default_rng(np.random.SeedSequence([seed, key]))
