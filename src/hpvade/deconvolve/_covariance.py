"""How uncertain the fractions of a sample are, from how badly its reconstruction fits."""

from __future__ import annotations

import torch
from torch import Tensor

from hpvade.deconvolve._covariance_kernel import sums_of_slopes
from hpvade.deconvolve._fit import outlier_limit

_SMALLEST_SD = 0.01  # fraction; no sample is known better
_LEAST_NOISE = 1e-6  # variance of log residuals; a sample that fits exactly still needs the prior
_PRIOR_SD = 0.3  # fraction; what is known of a type that the genes do not tell apart from another


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
    content_sd: float,
) -> Tensor:
    """Covariance of the cell fractions of each sample, before calibration.

    The sandwich estimator (Huber, 1967) of the fit of `FractionFit`, the votes of the genes and the shares
    of the states within each type held: it reads the noise off the sample's own residuals, gene by gene, so
    that a platform far from the reference's answers for itself. Linear in the fractions of the types, since
    the logit of a type that is absent tells nothing of how much of it may be there.

    Added to it: a weak prior, without which types that are alike would seem certain; an uncertainty of each
    type's RNA content, to which a wrong m adds the same error in all genes; and a smallest one.

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
        Standard deviation of each type's log m.

    Returns
    -------
    Shape (n_samples, n_types, n_types); each row sums to 0 but for the smallest uncertainty, which is on the
    diagonal.
    """
    n_types = int(cell_type.max()) + 1
    identity = torch.eye(n_types, dtype=cpm.dtype)
    of_type = identity[cell_type]
    p = fractions @ of_type
    share, content = _states(fractions, of_type=of_type, rna_content=rna_content)
    rna = p * content / (p * content).sum(1, keepdim=True)
    expected = (share * rna[:, cell_type]) @ signature_cpm.T
    weight = trust / trust.mean()
    log_ratio = (cpm + noise_floor).log() - (expected + noise_floor).log()
    residual, vote = _residual(log_ratio, weight=weight, outlier=outlier)
    sums = sums_of_slopes(
        signature_cpm.T.contiguous().numpy(),
        cell_type=cell_type.numpy(),
        share=share.numpy(),
        content=(content / (p * content).sum(1, keepdim=True)).numpy(),
        expected=expected.numpy(),
        weights=(vote.numpy(), (vote * residual).square().numpy()),
        noise_floor=noise_floor,
    )
    precision, score = map(torch.from_numpy, sums)
    noise = (vote * residual.square()).mean(1)[:, None, None].clamp_min(_LEAST_NOISE)
    contrast = torch.cat([identity[:, :-1] - identity[:, -1:], torch.zeros_like(identity[:, :1])], 1)
    prior = contrast.T @ contrast / _PRIOR_SD**2
    bread = torch.linalg.inv(precision + noise * prior)
    sandwich = contrast @ bread @ (score + noise.square() * prior) @ bread @ contrast.T

    by_content = content_sd * (torch.diag_embed(p) - p[:, :, None] * p[:, None, :])  # dp_k / dlog m_j
    total: Tensor = sandwich + by_content @ by_content.mT + _SMALLEST_SD**2 * identity
    return total


def _states(fractions: Tensor, *, of_type: Tensor, rna_content: Tensor) -> tuple[Tensor, Tensor]:
    """Share of each state in the RNA of its type, (n, n_states), and RNA content of each type, (n, n_types).

    Where a type is all but absent its states come in nearly even shares. ``of_type`` is a matrix of 0 and 1,
    (n_states, n_types).
    """
    cells = fractions + 1e-3 / of_type.sum(0) @ of_type.T
    rna = cells * rna_content
    return rna / (rna @ of_type @ of_type.T), (rna @ of_type) / (cells @ of_type)


def _residual(log_ratio: Tensor, *, weight: Tensor, outlier: float | None) -> tuple[Tensor, Tensor]:
    """Residual about the sample's offset, the weighted median, and each gene's vote, (n_samples, n_genes)."""
    order = log_ratio.argsort(1)
    beyond_half = weight[order].cumsum(1) >= weight.sum() / 2
    middle = order.gather(1, beyond_half.to(torch.uint8).argmax(1, keepdim=True))
    residual = log_ratio - log_ratio.gather(1, middle)
    return residual, weight * (outlier_limit(residual, outlier) / residual.abs()).clamp_max(1.0)
