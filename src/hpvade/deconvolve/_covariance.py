"""How uncertain the fractions of a sample are, from the residuals of its reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
import torch
from torch import Tensor

from hpvade.deconvolve._fit import outlier_limit
from hpvade.pp._spaces import floored_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_SD = 0.01  # fraction; no estimate is more precise
_MIN_NOISE = 1e-6  # variance of log residuals; a sample that fits exactly still needs the prior
_PRIOR_SD = 0.3  # fraction; of a type that the genes cannot distinguish from another


def fraction_covariance(
    cpm: Tensor,
    *,
    fractions: Tensor,
    cell_type: Tensor,
    signature_cpm: Tensor,
    rna_content: Tensor,
    trust: Tensor,
    noise_floor: float,
    outlier: float | None,
    content_sd: Tensor,
) -> Tensor:
    """Covariance of the cell fractions of each sample, before calibration.

    The sandwich estimator (Huber, 1967) for the fit of `FractionFit`, with the weights of the genes and the
    shares of the states within each type fixed. It takes the noise from the sample's own residuals, gene by
    gene, so that a platform unlike the reference's widens the intervals. It is linear in the fractions of the
    types, because the logit of an absent type does not limit how much of it may be present.

    Three terms are added: a weak prior, without which similar types would seem certain; the uncertainty of
    each type's RNA content, because a wrong m causes the same error in all genes; and a minimum.

    Parameters
    ----------
    cpm, signature_cpm, rna_content, trust, noise_floor, outlier
        As for `FractionFit`, with one column of ``signature_cpm`` and one value of ``rna_content`` for each
        state.
    fractions
        Cell fractions of the states, shape (n_samples, n_states), rows sum to 1.
    cell_type
        Type of each state, shape (n_states,), 0 … n_types-1.
    content_sd
        Standard deviation of each type's log m, shape (n_types,).

    Returns
    -------
    Shape (n_samples, n_types, n_types); each row sums to 0 apart from the minimum, which is added to the
    diagonal.
    """
    n_types = int(cell_type.max()) + 1
    identity = torch.eye(n_types, dtype=cpm.dtype)
    membership = identity[cell_type]
    p = fractions @ membership
    share, content = _state_shares(fractions, membership=membership, rna_content=rna_content)
    rna = p * content / (p * content).sum(1, keepdim=True)
    expected = (share * rna[:, cell_type]) @ signature_cpm.T
    log_ratio = floored_log(cpm, noise_floor) - floored_log(expected, noise_floor)
    residual, weight = _residual_and_weight(log_ratio, weight=trust / trust.mean(), outlier=outlier)
    sums = _slope_products(
        signature_cpm.T.contiguous().numpy(),
        cell_type=cell_type.numpy(),
        share=share.numpy(),
        content=(content / (p * content).sum(1, keepdim=True)).numpy(),
        expected=expected.numpy(),
        weights=(weight.numpy(), (weight * residual).square().numpy()),
        noise_floor=noise_floor,
    )
    precision, score = map(torch.from_numpy, sums)
    noise = (weight * residual.square()).mean(1)[:, None, None].clamp_min(_MIN_NOISE)
    contrast = torch.cat([identity[:, :-1] - identity[:, -1:], torch.zeros_like(identity[:, :1])], 1)
    prior = contrast.T @ contrast / _PRIOR_SD**2
    bread = torch.linalg.inv(precision + noise * prior)
    sandwich = contrast @ bread @ (score + noise.square() * prior) @ bread @ contrast.T

    content = content_sd * (torch.diag_embed(p) - p[:, :, None] * p[:, None, :])  # dp_k / dlog m_j
    total: Tensor = sandwich + content @ content.mT + _MIN_SD**2 * identity
    return total


def _state_shares(fractions: Tensor, *, membership: Tensor, rna_content: Tensor) -> tuple[Tensor, Tensor]:
    """Share of each state in the RNA of its type, (n, n_states), and RNA content of each type, (n, n_types).

    The states of a type that is nearly absent have nearly equal shares. ``membership``, a matrix of 0 and 1,
    has shape (n_states, n_types).
    """
    cells = fractions + 1e-3 / membership.sum(0) @ membership.T
    rna = cells * rna_content
    return rna / (rna @ membership @ membership.T), (rna @ membership) / (cells @ membership)


def _residual_and_weight(
    log_ratio: Tensor, *, weight: Tensor, outlier: float | None
) -> tuple[Tensor, Tensor]:
    """Residual of each gene from the sample's weighted median, and its Huber weight, (n_samples, n_genes)."""
    order = log_ratio.argsort(1)
    beyond_half = weight[order].cumsum(1) >= weight.sum() / 2
    middle = order.gather(1, beyond_half.to(torch.uint8).argmax(1, keepdim=True))
    residual = log_ratio - log_ratio.gather(1, middle)
    return residual, weight * (outlier_limit(residual, outlier) / residual.abs()).clamp_max(1.0)


def _slope_products(
    profiles: NDArray[np.float64],
    *,
    cell_type: NDArray[np.integer],
    share: NDArray[np.float64],
    content: NDArray[np.float64],
    expected: NDArray[np.float64],
    weights: tuple[NDArray[np.float64], NDArray[np.float64]],
    noise_floor: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ_g w_g a_gk a_gj for two sets of weights, each of shape (n, n_types, n_types).

    a_k is the slope of log((S·r)_g + c) in the fraction of type k < n_types - 1, compensated by the last
    type; the last slope is that of the offset, 1.

    Parameters
    ----------
    profiles
        Profile of each state, shape (n_states, n_genes), CPM.
    cell_type
        Type of each state, shape (n_states,).
    share
        Share of each state in its type's profile, shape (n, n_states).
    content
        RNA content of each type relative to that of all cells, shape (n, n_types).
    expected
        S·r, shape (n, n_genes), CPM.
    weights
        Shape (n, n_genes) each.
    noise_floor
        c, CPM.
    """
    n_types = content.shape[1]
    first, second = (np.zeros((len(share), n_types, n_types)) for _ in range(2))
    _fill_products(profiles, cell_type, share, content, expected, *weights, noise_floor, first, second)
    return first, second


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _fill_products(  # noqa: PLR0917 - compiled code takes plain arrays
    profiles: NDArray[np.float64],
    cell_type: NDArray[np.integer],
    share: NDArray[np.float64],
    content: NDArray[np.float64],
    expected: NDArray[np.float64],
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    noise_floor: float,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> None:
    n_types, n_genes = content.shape[1], expected.shape[1]
    for i in range(len(share)):
        slope = np.zeros((n_types, n_genes))
        for state in range(len(cell_type)):
            type_slope, part, profile = slope[cell_type[state]], share[i, state], profiles[state]
            for g in range(n_genes):
                type_slope[g] += part * profile[g]
        for k in range(n_types):
            for g in range(n_genes):
                x = expected[i, g]
                slope[k, g] = (slope[k, g] - x) / (x + noise_floor) * content[i, k]
        for k in range(n_types - 1):
            for g in range(n_genes):
                slope[k, g] -= slope[n_types - 1, g]
        slope[n_types - 1] = 1.0
        for k in range(n_types):
            for j in range(k + 1):
                a = b = 0.0
                for g in range(n_genes):
                    product = slope[k, g] * slope[j, g]
                    a += one[i, g] * product
                    b += other[i, g] * product
                first[i, k, j] = first[i, j, k] = a
                second[i, k, j] = second[i, j, k] = b
