"""All metrics of a samples × types comparison, and their percentile bounds over resampled samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpvade._random import child_rng
from hpvade.metrics._functions import (
    bias_last_axis,
    ccc_last_axis,
    mae_last_axis,
    pearson_last_axis,
    rmse_last_axis,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRICS = {
    "r": pearson_last_axis,
    "ccc": ccc_last_axis,
    "rmse": rmse_last_axis,
    "mae": mae_last_axis,
    "bias": bias_last_axis,
}
BLOCK_VALUES = 2_000_000  # values of one array held at a time: 16 MB


class Agreement(NamedTuple):
    """Metrics in the order of `METRICS`: per type (5, n_types, …) and pooled (5, …)."""

    per_type: NDArray[np.float64]
    pooled: NDArray[np.float64]


def agreement(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> Agreement:
    """Compare two arrays (..., n_samples, n_types).

    Parameters
    ----------
    estimate, truth
        Cell fractions. Leading axes, if any, are resamples.

    Returns
    -------
    ``per_type`` (5, ..., n_types) and ``pooled`` (5, ...), over all sample × type pairs. A metric of a
    single value is NaN: with one sample nothing per type is defined.
    """
    *_, n_samples, n_types = estimate.shape
    by_type = np.swapaxes(estimate, -1, -2), np.swapaxes(truth, -1, -2)
    flat = (*estimate.shape[:-2], n_samples * n_types)
    pairs = estimate.reshape(flat), truth.reshape(flat)
    per_type = np.stack([metric(*by_type) for metric in METRICS.values()])
    pooled = np.stack([metric(*pairs) for metric in METRICS.values()])
    return Agreement(
        per_type if n_samples > 1 else np.full_like(per_type, np.nan),
        pooled if n_samples * n_types > 1 else np.full_like(pooled, np.nan),
    )


def bootstrap_bounds(
    estimate: NDArray[np.float64], truth: NDArray[np.float64], *, n_bootstrap: int, seed: int
) -> Agreement:
    """95 % percentile bounds of `agreement` over samples drawn with replacement.

    A drawn sample keeps all its types together. Resamples in which a metric is undefined are left out
    of its percentiles.

    Parameters
    ----------
    estimate, truth
        Cell fractions, shape (n_samples, n_types).
    n_bootstrap
        Number of resamples; 0 gives NaN bounds, and so does a single sample.
    seed
        Seed of the draws.

    Returns
    -------
    ``per_type`` (5, n_types, 2) and ``pooled`` (5, 2): lower and upper bound on the last axis.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    n_samples, n_types = estimate.shape
    if n_bootstrap == 0 or n_samples < 2:
        return Agreement(np.full((len(METRICS), n_types, 2), np.nan), np.full((len(METRICS), 2), np.nan))
    indices = child_rng(seed, "bootstrap").integers(n_samples, size=(n_bootstrap, n_samples))
    n_blocks = -(-indices.size * n_types // BLOCK_VALUES)
    blocks = [agreement(estimate[rows], truth[rows]) for rows in np.array_split(indices, n_blocks)]
    per_type = np.concatenate([block.per_type for block in blocks], axis=1)
    pooled = np.concatenate([block.pooled for block in blocks], axis=1)
    return Agreement(_percentiles(np.swapaxes(per_type, 1, 2)), _percentiles(pooled))


def _percentiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """2.5th and 97.5th percentile along the last axis without NaN; NaN where nothing is left."""
    rows = values.reshape(-1, values.shape[-1])
    bounds = np.full((len(rows), 2), np.nan)
    for bound, row in zip(bounds, rows, strict=True):
        defined = row[~np.isnan(row)]
        if defined.size:
            bound[:] = np.percentile(defined, [2.5, 97.5])
    return bounds.reshape(*values.shape[:-1], 2)
