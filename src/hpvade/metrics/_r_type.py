"""The mean over cell types of the correlation over samples: the figure that unmasks mean collapse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning, warn
from hpvade.metrics._functions import pearson_last_axis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def r_type(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Mean over cell types of Pearson r over samples.

    Parameters
    ----------
    estimate, truth
        Fractions, shape (n_samples, n_types), n_samples ≥ 2, columns in the same order.

    Returns
    -------
    Mean r. Types that are constant in either array have no r: they are skipped, and one
    `DegenerateMetricWarning` says how many. NaN if none is left.

    Raises
    ------
    InputError
        The shapes differ, are not two-dimensional, have fewer than two samples or no type, or some
        values are not finite.
    """
    e, t = np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if e.ndim != 2 or e.shape != t.shape:
        msg = (
            f"r_type compares two (n_samples, n_types) arrays of one shape, but got {e.shape} and {t.shape}."
        )
        raise InputError(msg)
    if e.shape[0] < 2 or e.shape[1] < 1:
        msg = f"r_type needs at least 2 samples and 1 cell type, but the shape is {e.shape}."
        raise InputError(msg)
    if not (np.isfinite(e).all() and np.isfinite(t).all()):
        msg = "r_type got NaN or infinite values; remove those samples or types before comparing."
        raise InputError(msg)
    r = pearson_last_axis(e.T, t.T)
    defined = r[~np.isnan(r)]
    if n_skipped := r.size - defined.size:
        warn(
            f"r_type skips {n_skipped} of {r.size} cell types: zero variance over samples.",
            DegenerateMetricWarning,
        )
    return float(defined.mean()) if defined.size else float("nan")
