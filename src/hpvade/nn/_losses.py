"""The loss: formula, weight and label of every term, and the sum that training and validation share.

A new term is a field of `LossTerms`, a label in `LOSS_LABELS`, a weight in `LossWeights`, and a line of
`loss_terms`; the history, TensorBoard and the report take it from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import mse_loss

from hpvade import _limits as limits
from hpvade.pp import cpm_to_log

if TYPE_CHECKING:
    from hpvade._types import Space
    from hpvade.nn._network import Batch, NetworkOutput

_MIN_FRACTION = 1e-10
_KL_WEIGHT = 0.1


class LossWeights(BaseModel):
    """Weights of the loss terms.

    total = recon + kl·``kl`` + proto·``proto`` + ``bulk``·(prop + ``bulk_recon``·bulk_recon)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kl: float = Field(default=0.01, ge=0, le=limits.MAX_WEIGHT)
    proto: float = Field(default=0.1, ge=0, le=limits.MAX_WEIGHT)
    bulk: float = Field(default=5.0, ge=0, le=limits.MAX_WEIGHT)
    bulk_recon: float = Field(default=10.0, ge=0, le=limits.MAX_WEIGHT)


class LossTerms(NamedTuple):
    """The terms of one batch, unweighted, and their weighted total; each a scalar."""

    loss: Tensor
    loss_recon: Tensor
    loss_kl: Tensor
    loss_proto: Tensor
    loss_prop: Tensor
    loss_bulk_recon: Tensor


LOSS_LABELS = {
    "loss": "Total loss",
    "loss_prop": "Fraction loss",
    "loss_bulk_recon": "Bulk reconstruction loss",
    "loss_recon": "Cell reconstruction loss",
    "loss_proto": "Distance to prototypes",
    "loss_kl": "KL divergence",
}


def clamp_fractions(fractions: Tensor) -> Tensor:
    """Clamp fractions to at least 1e-10 and rescale the last axis to sum to 1, so the logarithm is finite."""
    clamped = fractions.clamp_min(_MIN_FRACTION)
    return clamped / clamped.sum(-1, keepdim=True)


def latent_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) ‖ N(0, 1)) = −½ Σ(1 + log σ² − μ² − σ²), mean over cells; inputs (n_cells, n_latent)."""
    return (-0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(-1)).mean()


def proportion_loss(fractions: Tensor, truth: Tensor) -> Tensor:
    """MSE(p̃, p̃*) + 0.1 · KL(p̃* ‖ p̃), both clamped, mean over the batch; inputs (..., n_types)."""
    estimate, target = clamp_fractions(fractions), clamp_fractions(truth).expand_as(fractions)
    kl = (target * (target.log() - estimate.log())).sum(-1).mean()
    return mse_loss(estimate, target) + _KL_WEIGHT * kl


def bulk_reconstruction_loss(reconstructed_cpm: Tensor, mixture_cpm: Tensor, *, space: Space) -> Tensor:
    """MSE between S·r(p) and the mixture, both given in CPM, compared in ``space``."""
    target = mixture_cpm.expand_as(reconstructed_cpm)
    if space == "cpm":
        return mse_loss(reconstructed_cpm, target)
    return mse_loss(cpm_to_log(reconstructed_cpm), cpm_to_log(target))


def loss_terms(
    output: NetworkOutput, batch: Batch, *, weights: LossWeights, bulk_space: Space, membership: Tensor
) -> LossTerms:
    """Compute all terms of one batch, for training and validation alike.

    The proportion and the prototype loss are means over the types and all levels above them.

    Parameters
    ----------
    output, batch
        Output and input of `HPVADENetwork`; each field states its space.
    weights
        Weights of the sum.
    bulk_space
        Space of the bulk comparison: ``"log"``, or ``"cpm"`` in the original preset.
    membership
        Matrices of 0 and 1 that sum types to groups, shape (n_levels, n_types, n_types).
    """
    recon = mse_loss(output.reconstruction, batch.cells)
    kl = latent_kl(output.mean, output.log_variance)
    proto = mse_loss(output.reconstruction.expand_as(output.prototype), output.prototype)
    levels = [(output.fractions, batch.fractions)]
    levels += [(output.fractions @ level, batch.fractions @ level) for level in membership]
    prop = torch.stack([proportion_loss(*level) for level in levels]).mean()
    bulk_recon = bulk_reconstruction_loss(output.reconstructed_bulk, batch.mixture, space=bulk_space)
    total = (
        recon
        + weights.kl * kl
        + weights.proto * proto
        + weights.bulk * (prop + weights.bulk_recon * bulk_recon)
    )
    return LossTerms(total, recon, kl, proto, prop, bulk_recon)


def describe_range(name: str, values: Tensor) -> str:
    """Describe the range of a tensor in words, including NaN and Inf."""
    finite = values[torch.isfinite(values)]
    n_bad = values.numel() - finite.numel()
    span = f"{finite.min():.4g} … {finite.max():.4g}" if finite.numel() else "no finite value"
    return f"{name}: {span}" + (f", {n_bad} of {values.numel()} not finite" if n_bad else "")
