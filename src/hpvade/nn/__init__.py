"""The network and its loss: torch only, no files, no AnnData, no trainer."""

from hpvade.nn._config import LossWeights, NetworkConfig
from hpvade.nn._deconvolution import DeconvolutionNetwork
from hpvade.nn._losses import (
    LossTerms,
    bulk_reconstruction_loss,
    clamp_fractions,
    describe_range,
    latent_kl,
    loss_terms,
    proportion_loss,
)
from hpvade.nn._network import Batch, HPVADENetwork, NetworkOutput
from hpvade.nn._signature import LearnableSignature
from hpvade.nn._vae import Decoder, Encoder

__all__ = [
    "Batch",
    "Decoder",
    "DeconvolutionNetwork",
    "Encoder",
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
