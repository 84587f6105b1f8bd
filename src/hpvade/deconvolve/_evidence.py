"""How much better a sample is explained if cells of a further profile are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from hpvade.deconvolve._fit import FAST

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARES = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7])  # RNA shares that are tried
_QUICK_SHARES = np.array([0.1, 0.4])
_N_CLOSER = 8  # profiles that are looked at closely
_RISE = 0.3  # natural log; expected of a gene that counts for the support
_MIN_RISING = 5  # genes


class Residuals(NamedTuple):
    """Samples and what explains them so far, over n_genes of a panel.

    Attributes
    ----------
    log_bulk
        log(b + c), shape (n_samples, n_genes).
    expected
        Expression that is explained, shape (n_samples, n_genes), CPM.
    offset, limit
        Log scale of each sample, and the residual beyond which a gene is an outlier, shape (n_samples,).
    weight
        Weight of each gene, shape (n_genes,); 0 for genes that only a judged profile adds.
    noise_floor
        c, CPM.
    """

    log_bulk: NDArray[np.float64]
    expected: NDArray[np.float64]
    offset: NDArray[np.float64]
    limit: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise_floor: float

    @property
    def loss(self) -> NDArray[np.float64]:
        """Σ_g w_g ρ(e_g) of each sample, shape (n_samples,)."""
        e = np.abs(self.log_bulk - np.log(self.expected + self.noise_floor) - self.offset[:, None])
        within = np.minimum(e, self.limit[:, None])
        return np.asarray((self.weight * within * (2 * e - within)).sum(1))


class Evidence(NamedTuple):
    """Evidence for each profile in each sample, shape (n_samples, n_profiles).

    Attributes
    ----------
    gain
        Decrease of the loss relative to the loss, beyond that of a mixture of all tissues.
    support
        Share of the rise that the profile predicts in its genes that is seen: 1 if every gene rises by at
        least half of what is predicted.
    """

    gain: NDArray[np.float64]
    support: NDArray[np.float64]


def evidence(
    residuals: Residuals,
    profiles: NDArray[np.float64],
    *,
    own_weight: NDArray[np.float64],
    every_tissue: NDArray[np.float64],
    pooled: bool,
) -> Evidence:
    """Measure how much each profile improves the reconstruction, with the known types held.

    For each RNA share u of a grid, the expected expression is (1 − u) · explained + u · profile. The loss is
    Huber's, over the genes that explain the known types and the profile's own, after the best offset. The
    decrease that a mixture of all tissues achieves in the same genes is subtracted: a platform that reports
    signal for silent genes resembles every tissue at once.

    Only the eight profiles with the largest decrease on a coarse grid, over all samples (``pooled``) or in
    each, are measured; the others have no evidence.

    Parameters
    ----------
    residuals
        The samples, and what explains them.
    profiles
        Shape (n_profiles, n_genes), CPM.
    own_weight
        Weight of each profile's own genes, shape (n_profiles, n_genes), 0 for all others.
    every_tissue
        Shape (n_genes,), CPM.
    pooled
        Whether the samples are judged together.
    """
    n_samples, n_profiles = len(residuals.log_bulk), len(profiles)
    gain, support = np.zeros((n_samples, n_profiles)), np.zeros((n_samples, n_profiles))
    base = np.flatnonzero(residuals.weight > 0)
    genes = [
        np.concatenate([base, np.flatnonzero((row > 0) & (residuals.weight == 0))]) for row in own_weight
    ]
    weights = [
        np.where(residuals.weight[of] > 0, residuals.weight[of], row[of])
        for of, row in zip(genes, own_weight, strict=True)
    ]
    quick = np.array(
        [
            [
                _gain(*_sample(residuals, i), profiles[j], genes[j], weights[j], _QUICK_SHARES)[0]
                for j in range(n_profiles)
            ]
            for i in range(n_samples)
        ]
    )
    if pooled:
        quick = np.broadcast_to(quick.mean(0), quick.shape)
    loss = residuals.loss
    for i in range(n_samples):
        for j in np.argsort(-quick[i], kind="stable")[:_N_CLOSER]:
            of, weight, sample = genes[j], weights[j], _sample(residuals, i)
            decrease, share = _gain(*sample, profiles[j], of, weight, _SHARES)
            of_tissues, _ = _gain(*sample, every_tissue, of, weight, _SHARES)
            gain[i, j] = max(decrease - max(of_tissues, 0.0), 0.0) / loss[i]
            if gain[i, j] > 0:
                support[i, j] = _support(*sample, profiles[j], of, weight, share)
    return Evidence(gain, support)


def _sample(
    residuals: Residuals, i: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float, float]:
    return (
        residuals.log_bulk[i],
        residuals.expected[i],
        residuals.offset[i],
        residuals.limit[i],
        residuals.noise_floor,
    )


@numba.njit(fastmath=FAST, cache=True, nogil=True, error_model="numpy")
def _gain(  # noqa: PLR0917 - compiled code takes plain arrays
    log_bulk: NDArray[np.float64],
    expected: NDArray[np.float64],
    offset: float,
    limit: float,
    noise_floor: float,
    profile: NDArray[np.float64],
    genes: NDArray[np.intp],
    weight: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> tuple[float, float]:
    """Largest decrease of the loss over the shares, and its share."""
    n = len(genes)
    residual = np.empty(n)
    before = 0.0
    for k in range(n):
        g = genes[k]
        size = abs(log_bulk[g] - np.log(expected[g] + noise_floor) - offset)
        within = min(size, limit)
        before += weight[k] * within * (2 * size - within)
    best, best_share = -np.inf, 0.0
    for share in shares:
        total = shift = 0.0
        for k in range(n):
            g = genes[k]
            mixed = (1 - share) * expected[g] + share * profile[g]
            e = log_bulk[g] - np.log(mixed + noise_floor) - offset
            residual[k] = e
            w = weight[k] * min(1.0, limit / max(abs(e), 1e-9))
            total += w
            shift += w * e
        shift /= total
        after = 0.0
        for k in range(n):
            size = abs(residual[k] - shift)
            within = min(size, limit)
            after += weight[k] * within * (2 * size - within)
        if before - after > best:
            best, best_share = before - after, share
    return best, best_share


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _support(  # noqa: PLR0917 - compiled code takes plain arrays
    log_bulk: NDArray[np.float64],
    expected: NDArray[np.float64],
    offset: float,
    limit: float,
    noise_floor: float,
    profile: NDArray[np.float64],
    genes: NDArray[np.intp],
    weight: NDArray[np.float64],
    share: float,
) -> float:
    """Share of the predicted rise that is seen; 0 if it is predicted for fewer than five genes."""
    seen = predicted = 0.0
    n_rising = 0
    for k in range(len(genes)):
        g = genes[k]
        known = np.log(expected[g] + noise_floor)
        rise = np.log((1 - share) * expected[g] + share * profile[g] + noise_floor) - known
        if rise > _RISE:
            n_rising += 1
            predicted += weight[k] * rise
            if log_bulk[g] - known - offset > rise / 2:
                seen += weight[k] * rise
    return seen / predicted if n_rising >= _MIN_RISING else 0.0
