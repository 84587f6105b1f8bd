"""Independent random generators from one seed; the global random state is not used."""

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
        Purpose of the generator, for instance ``"mixtures"`` or ``("epoch", 3)``. The same seed and
        stage give the same stream; different stages give independent streams, in any order.
    """
    key = zlib.crc32("/".join(map(str, stage)).encode())
    return np.random.default_rng(np.random.SeedSequence([seed, key]))
