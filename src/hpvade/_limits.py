"""Limits of settings: beyond them, a value is a mistake, and computing with it would fail late."""

from __future__ import annotations

MAX_WIDTH = 10_000  # of a layer
MAX_LAYERS = 20
MAX_MEMBERS = 100
MAX_EPOCHS = 100_000
MAX_BATCH = 1_000_000
MAX_RATE = 1.0  # of learning
MAX_WEIGHT = 1e6  # of a loss, of a prior, of a width on the log scale
MAX_MIXTURES = 10_000_000
MAX_CELLS_PER_MIXTURE = 1_000_000
MAX_READS = 1e12  # of a sample
MAX_GENES = 1_000_000
MAX_STATES = 1_000
MAX_THREADS = 1_024
MAX_CONTENT_RATIO = 10_000  # of the RNA contents of two cell types
