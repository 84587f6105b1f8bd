"""Columns and rows of the tidy table of a benchmark."""

from __future__ import annotations

from typing import Final

from hpvade import _keys

METRICS: Final = ("r", "ccc", "rmse", "mae", "bias")
POOLED: Final = "pooled"  # scope: all samples and types
MEAN: Final = "mean of types"  # scope
UNKNOWN: Final = _keys.UNKNOWN  # scope: unknown content
PAIR: Final = ["reference", "dataset"]
COSTS: Final = ["seconds", "peak_memory_mb"]
INTERVALS: Final = ["coverage", "width"]
COLUMNS: Final = [
    *PAIR,
    "method",
    "seed",
    "scope",
    "n_samples",
    *(f"{metric}{side}" for metric in METRICS for side in ("", "_lower", "_upper")),
    *INTERVALS,
    *COSTS,
]
