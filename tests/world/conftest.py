"""Made-up cell types, and how two platforms measure them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade.world import World

NAMES = ["a", "b", "c", "d", "e", "f"]


@pytest.fixture
def types():
    """Counts of one cell of six types, shape (n_genes, 6): a to e are known, f is not."""
    rng = np.random.default_rng(0)
    counts = np.repeat(rng.gamma(1.5, size=(1_200, 1)), len(NAMES), axis=1)
    for k in range(len(NAMES)):
        counts[100 * k : 100 * (k + 1), k] *= 15
    return counts


@pytest.fixture
def factors():
    """How much more of each gene the platform of the world measures, shape (n_genes, 1)."""
    return np.exp(0.8 * np.random.default_rng(1).standard_normal((1_200, 1)))


@pytest.fixture
def symbols():
    return np.array([f"GENE{i}" for i in range(1_200)])


@pytest.fixture
def world(types, factors, symbols):
    level = types * factors
    level = level / level.sum(0) * 2e4
    facts = pd.DataFrame(
        {"words": [f"{n} cells" for n in NAMES], "kind": "cells", "rna_content": 1.0}, index=NAMES
    )
    return World(pd.Index(symbols), level.astype(np.float32), facts)
