"""The compiled loop of `generic_share`: the best of some shares of each sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from hpvade.deconvolve._fit import MAD_TO_SD

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OUTLIER = 1.5  # standard deviations of residuals
_LEAST_SLOPE = np.float32(0.5)
_COARSE = np.linspace(0, 0.95, 20, dtype=np.float32)
_FINE = np.linspace(-0.04, 0.04, 9, dtype=np.float32)
_OFFSET_STEPS = 2
_SMALLEST_LIMIT = 1e-6
_FEWEST_WITHIN = np.float32(1e-3)  # weight

_ZERO, _ONE, _TWO, _CPM_TOTAL = (np.float32(x) for x in (0, 1, 2, 1e6))

# log(x) = e log 2 + log(1 + t) with 1 + t between √½ and √2, the second by a polynomial: loops over it become
# vector instructions, which those over math.log do not. Good to 2e-6.
_LOG_2 = np.float32(math.log(2))
_ROOT_HALF, _MANTISSA, _MANTISSA_BITS = np.int32(0x3F3504F3), np.int32(0x7FFFFF), np.int32(23)
_AT = np.linspace(math.sqrt(0.5) - 1, math.sqrt(2) - 1, 1000)  # an even number: 0 is not among them
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7, _P8 = (
    np.polynomial.Polynomial.fit(_AT, np.log1p(_AT) / _AT, 8).convert().coef.astype(np.float32)
)


def best_share(
    log_bulk: NDArray[np.floating],
    *,
    known: NDArray[np.floating],
    generic: NDArray[np.floating],
    weight: NDArray[np.floating],
    noise_floor: float,
) -> NDArray[np.float64]:
    """Minimise over the grid; see `generic_share` for what.

    Parameters
    ----------
    log_bulk
        log(b + c), shape (n_samples, n_genes).
    known
        Counts of the known types' mixture, shape (n_samples, n_genes).
    generic
        Counts of a generic cell, shape (n_genes,).
    weight
        Say of each gene, shape (n_genes,), sum 1.
    noise_floor
        c, CPM.

    Returns
    -------
    u, shape (n_samples,). Worked out in single precision, each sample by itself.
    """
    best = np.zeros(len(log_bulk), np.float32)
    sample, mixture, cell, say = (
        np.ascontiguousarray(x, dtype=np.float32) for x in (log_bulk, known, generic, weight)
    )
    _search(sample, mixture, cell, say, np.float32(noise_floor), best)
    return best.astype(np.float64)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _search(  # noqa: PLR0917 - compiled code takes arrays
    log_bulk: NDArray[np.float32],
    known: NDArray[np.float32],
    generic: NDArray[np.float32],
    weight: NDArray[np.float32],
    noise_floor: np.float32,
    best: NDArray[np.float32],
) -> None:
    """Fill ``best``."""
    total = np.float32(generic.sum())
    for i in range(len(log_bulk)):
        totals = (np.float32(known[i].sum()), total)
        best[i] = _of_sample(log_bulk[i], known[i], generic, weight, totals, noise_floor)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _of_sample(  # noqa: PLR0917 - compiled code takes arrays
    log_bulk: NDArray[np.float32],
    known: NDArray[np.float32],
    generic: NDArray[np.float32],
    weight: NDArray[np.float32],
    totals: tuple[np.float32, np.float32],
    noise_floor: np.float32,
) -> np.float32:
    """Best share of one sample: the best of the coarse grid, then of the fine one about it."""
    room, residual = np.empty_like(log_bulk), np.empty_like(log_bulk)
    _residual(_ZERO, log_bulk, known, generic, weight, totals, noise_floor, room, residual)
    centred = np.abs(residual - np.float32(np.median(residual)))
    limit = np.float32(_OUTLIER * MAD_TO_SD * np.median(centred) + _SMALLEST_LIMIT)
    lowest, best, middle = np.float32(np.inf), _ZERO, _ZERO
    for steps in (_COARSE, _FINE):
        for step in steps:
            share = max(middle + step, _ZERO)
            _residual(share, log_bulk, known, generic, weight, totals, noise_floor, room, residual)
            loss = _loss(residual, weight, limit)
            if loss < lowest:
                lowest, best = loss, share
        middle = best
    return best


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _residual(  # noqa: PLR0917 - compiled code takes arrays
    share: np.float32,
    log_bulk: NDArray[np.float32],
    known: NDArray[np.float32],
    generic: NDArray[np.float32],
    weight: NDArray[np.float32],
    totals: tuple[np.float32, np.float32],
    noise_floor: np.float32,
    room: NDArray[np.float32],
    residual: NDArray[np.float32],
) -> None:
    """Fill ``residual`` with log b − β log x − o for one share, β and o by weighted least squares."""
    scale = _CPM_TOTAL / ((_ONE - share) * totals[0] + share * totals[1])
    of_known, of_generic = (_ONE - share) * scale, share * scale
    for g in range(len(log_bulk)):
        room[g] = of_known * known[g] + of_generic * generic[g] + noise_floor
    _log(room, residual)
    mean = mean_bulk = covariance = variance = _ZERO
    for g in range(len(log_bulk)):
        weighted = weight[g] * residual[g]
        mean += weighted
        mean_bulk += weight[g] * log_bulk[g]
        covariance += weighted * log_bulk[g]
        variance += weighted * residual[g]
    slope = (covariance - mean * mean_bulk) / (variance - mean * mean)
    slope = min(max(slope, _LEAST_SLOPE), _ONE)
    offset = mean_bulk - slope * mean
    for g in range(len(log_bulk)):
        residual[g] = log_bulk[g] - slope * residual[g] - offset


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _loss(residual: NDArray[np.float32], weight: NDArray[np.float32], limit: np.float32) -> np.float32:
    """Σ_g w_g ρ(residual − o), ρ linear beyond ``limit``; o by Newton steps from 0."""
    offset = _ZERO
    for _ in range(_OFFSET_STEPS):
        slope = within = _ZERO
        for g in range(len(residual)):
            left = residual[g] - offset
            inside = abs(left) < limit
            within += weight[g] if inside else _ZERO
            slope += weight[g] * (left if inside else math.copysign(limit, left))
        offset += slope / max(within, _FEWEST_WITHIN)
    loss = _ZERO
    for g in range(len(residual)):
        size = abs(residual[g] - offset)
        inside = size if size < limit else limit
        loss += weight[g] * inside * (_TWO * size - inside)
    return loss


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _log(x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Fill ``out`` with the natural logarithm of positive normal numbers; ``x`` is overwritten."""
    bits = x.view(np.int32)
    for g in range(len(x)):
        above = bits[g] - _ROOT_HALF
        out[g] = np.float32(above >> _MANTISSA_BITS)
        bits[g] = (above & _MANTISSA) + _ROOT_HALF
    for g in range(len(x)):
        t = x[g] - _ONE
        high = _P4 + t * (_P5 + t * (_P6 + t * (_P7 + t * _P8)))
        out[g] = out[g] * _LOG_2 + t * (_P0 + t * (_P1 + t * (_P2 + t * (_P3 + t * high))))
