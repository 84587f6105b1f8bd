"""The formulas, each once: public functions, and their core along the last axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning, warn

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson correlation: cov(x, y) / (sd(x) sd(y)).

    Parameters
    ----------
    x, y
        Paired values, shape (n,), n ≥ 2, any unit.

    Returns
    -------
    r in [-1, 1]; NaN with a `DegenerateMetricWarning` if x or y is constant.

    Raises
    ------
    InputError
        The shapes differ, there are fewer than two values, or some are not finite.

    Examples
    --------
    >>> round(pearson([0.1, 0.2, 0.3], [0.2, 0.4, 0.6]), 6)
    1.0
    """
    a, b = _two_vectors(x, y)
    r = float(pearson_last_axis(a, b))
    if np.isnan(r):
        constant = " and ".join(name for name, v in (("x", a), ("y", b)) if not centred(v).any())
        warn(
            f"Pearson r is undefined and returned as NaN: {constant or 'x or y'} has zero variance.",
            DegenerateMetricWarning,
        )
    return r


def ccc(x: ArrayLike, y: ArrayLike) -> float:
    """Lin's concordance: 2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))²), population moments.

    Parameters
    ----------
    x, y
        Paired values in the same unit, shape (n,), n ≥ 2.

    Returns
    -------
    CCC in [-1, 1]; 0 if only one of the two is constant; NaN with a `DegenerateMetricWarning` if both are
    constant and equal.

    Raises
    ------
    InputError
        The shapes differ, there are fewer than two values, or some are not finite.

    References
    ----------
    Lin (1989), Biometrics 45:255-268, with 1/n in place of 1/(n - 1).

    Examples
    --------
    >>> round(ccc([1, 2, 3], [2, 3, 4]), 6)  # 2 · 2/3 / (2/3 + 2/3 + 1) = 4/7
    0.571429
    """
    value = float(ccc_last_axis(*_two_vectors(x, y)))
    if np.isnan(value):
        warn(
            "CCC is undefined and returned as NaN: x and y are constant and equal (zero variance).",
            DegenerateMetricWarning,
        )
    return value


def rmse(x: ArrayLike, y: ArrayLike) -> float:
    """Root mean squared difference: √mean((x - y)²).

    Input and errors are those of `ccc`; the result has the unit of x.
    """
    return float(rmse_last_axis(*_two_vectors(x, y)))


def mae(x: ArrayLike, y: ArrayLike) -> float:
    """Mean absolute difference: mean |x - y|.

    Input and errors are those of `ccc`; the result has the unit of x.
    """
    return float(mae_last_axis(*_two_vectors(x, y)))


def bias(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Mean of estimate - truth: positive where the estimate is too high.

    Input and errors are those of `ccc`; the result has the unit of the estimate.
    """
    return float(bias_last_axis(*_two_vectors(estimate, truth)))


def r_type(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Mean over cell types of Pearson r over samples.

    Parameters
    ----------
    estimate, truth
        Fractions, shape (n_samples, n_types), n_samples ≥ 2, columns in the same order.

    Returns
    -------
    Mean r. Types that are constant in either array have no r; they are skipped, and one
    `DegenerateMetricWarning` reports how many. NaN if none remains.

    Raises
    ------
    InputError
        The arrays differ in shape, are not two-dimensional, have fewer than two samples or no type, or
        contain values that are not finite.
    """
    e, t = np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if e.ndim != 2 or e.shape != t.shape:
        msg = (
            f"r_type needs two (n_samples, n_types) arrays of the same shape, but the shapes are {e.shape} "
            f"and {t.shape}."
        )
        raise InputError(msg)
    if e.shape[0] < 2 or e.shape[1] < 1:
        msg = f"r_type needs at least 2 samples and 1 cell type, but the shape is {e.shape}."
        raise InputError(msg)
    if not (np.isfinite(e).all() and np.isfinite(t).all()):
        msg = "r_type needs finite values, but some are NaN or infinite. Remove those samples or types first."
        raise InputError(msg)
    r = pearson_last_axis(e.T, t.T)
    defined = r[~np.isnan(r)]
    if n_skipped := r.size - defined.size:
        warn(
            f"r_type skips {n_skipped} of {r.size} cell types: they have zero variance over samples.",
            DegenerateMetricWarning,
        )
    return float(defined.mean()) if defined.size else float("nan")


def centred(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean along the last axis; a constant row becomes exactly zero.

    The first value is subtracted before the mean: in floating point the mean of equal numbers is not always
    that number, and a variance of 1e-34 would pass for a variance.
    """
    shifted = x - x[..., :1]
    return np.asarray(shifted - shifted.mean(-1, keepdims=True))


def pearson_last_axis(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """`pearson` for shape (..., n) → (...); NaN without a warning where a row is constant."""
    a, b = centred(x), centred(y)
    scale = np.sqrt((a * a).sum(-1)) * np.sqrt((b * b).sum(-1))
    return np.clip(_ratio((a * b).sum(-1), scale), -1.0, 1.0)


def ccc_last_axis(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """`ccc` for shape (..., n) → (...); NaN without a warning where the denominator is zero."""
    a, b = centred(x), centred(y)
    denominator = (a * a).mean(-1) + (b * b).mean(-1) + (x - y).mean(-1) ** 2
    return _ratio(2 * (a * b).mean(-1), denominator)


def rmse_last_axis(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """`rmse` for shape (..., n) → (...)."""
    return np.asarray(np.sqrt(((x - y) ** 2).mean(-1)))


def mae_last_axis(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """`mae` for shape (..., n) → (...)."""
    return np.asarray(np.abs(x - y).mean(-1))


def bias_last_axis(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """`bias` for shape (..., n) → (...)."""
    return np.asarray((estimate - truth).mean(-1))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide where the denominator is positive; NaN elsewhere."""
    empty = np.full(np.shape(denominator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=empty, where=denominator > 0))


def _two_vectors(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check and convert the input of the functions on vectors."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        msg = f"A metric needs two vectors of the same length, but the shapes are {a.shape} and {b.shape}."
        raise InputError(msg)
    if a.size < 2:
        msg = f"A metric needs at least 2 values, but there are {a.size}."
        raise InputError(msg)
    for place, values in (("first", a), ("second", b)):
        if n_bad := int((~np.isfinite(values)).sum()):
            msg = (
                f"{n_bad} of {values.size} values in the {place} vector are NaN or infinite "
                f"(the first at position {int(np.argmin(np.isfinite(values)))}). Remove them first."
            )
            raise InputError(msg)
    return a, b
