"""The network and its loss, in torch alone: no files, no AnnData, no trainer."""

from hpvade.nn._config import NetworkConfig
from hpvade.nn._deconvolution import DeconvolutionNetwork
from hpvade.nn._losses import (
    LOSS_LABELS,
    LossTerms,
    LossWeights,
    bulk_reconstruction_loss,
    clamp_fractions,
    describe_range,
    latent_kl,
    loss_terms,
    proportion_loss,
)
from hpvade.nn._network import Batch, HPVADENetwork, NetworkOutput
from hpvade.nn._signature import LearnableSignature

__all__ = [
    "LOSS_LABELS",
    "Batch",
    "DeconvolutionNetwork",
    "HPVADENetwork",
    "LearnableSignature",
    "LossTerms",
    "LossWeights",
    "NetworkConfig",
    "NetworkOutput",
    "bulk_reconstruction_loss",
    "clamp_fractions",
    "describe_range",
    "latent_kl",
    "loss_terms",
    "proportion_loss",
]
