"""The whole network: VAE, deconvolution network and the signature that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from hpvade.nn._deconvolution import DeconvolutionNetwork
from hpvade.nn._signature import LearnableSignature
from hpvade.nn._vae import Decoder, Encoder, sample_latent

if TYPE_CHECKING:
    from hpvade.nn._config import NetworkConfig


class Batch(NamedTuple):
    """Input of one step of training or validation.

    Attributes
    ----------
    cells
        Single cells, shape (n_cells, n_genes), log space.
    cell_type
        Type of each cell, shape (n_cells,), 0 … n_types-1.
    bulk
        Mixtures as a platform would measure them, shape (n_mixtures, n_genes), CPM: the network's input.
    mixture
        The same mixtures on the reference's platform, CPM: the target of S·r.
    fractions
        True cell fractions p*, shape (n_mixtures, n_types).
    """

    cells: Tensor
    cell_type: Tensor
    bulk: Tensor
    mixture: Tensor
    fractions: Tensor


class NetworkOutput(NamedTuple):
    """Output of the network for one batch.

    Attributes
    ----------
    reconstruction
        x̂, shape (n_cells, n_genes), log space.
    mean, log_variance
        μ and log σ² of q(z|x), shape (n_cells, n_latent).
    prototype
        Column of S for each cell's type and for the groups of that type, shape (1 + n_levels, n_cells,
        n_genes), log space.
    fractions
        p of every member, shape (members, n_mixtures, n_types); output of the softmax, not clamped.
    reconstructed_bulk
        S·r(p) of every member, shape (members, n_mixtures, n_genes), CPM.
    """

    reconstruction: Tensor
    mean: Tensor
    log_variance: Tensor
    prototype: Tensor
    fractions: Tensor
    reconstructed_bulk: Tensor


class HPVADENetwork(nn.Module):
    """Encoder, decoder, deconvolution network and signature.

    Parameters
    ----------
    signature_cpm
        S of the reference, shape (n_genes, n_types), CPM.
    rna_content
        m over the same genes, shape (n_types,).
    mean_log
        Mean of each gene over training mixtures, log space, shape (n_genes,).
    trust
        Trust in each gene, 0 to 1, shape (n_genes,).
    config
        Sizes and spaces.
    group
        Group of each type at each level above the types, shape (n_levels, n_types), 0 … n_types-1. Default:
        no levels.
    """

    membership: Tensor

    def __init__(
        self,
        signature_cpm: Tensor,
        *,
        rna_content: Tensor,
        mean_log: Tensor,
        trust: Tensor,
        config: NetworkConfig,
        group: Tensor | None = None,
    ) -> None:
        super().__init__()
        n_genes, n_types = signature_cpm.shape
        self.config = config
        self.encoder = Encoder(n_genes, n_latent=config.n_latent, n_hidden=config.vae_hidden)
        self.decoder = Decoder(n_genes, n_latent=config.n_latent, n_hidden=config.vae_hidden)
        self.deconvolution = DeconvolutionNetwork(
            n_genes, n_types, config=config, mean_log=mean_log, trust=trust
        )
        levels = torch.zeros((0, n_types), dtype=torch.int64) if group is None else group
        membership = one_hot(levels, n_types).to(signature_cpm.dtype)
        self.register_buffer("membership", membership, persistent=False)
        content = rna_content if config.use_rna_content else torch.ones_like(rna_content)
        self.signature = LearnableSignature(signature_cpm, rna_content=content)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Run both paths on one batch; the latent is sampled in training and is μ otherwise."""
        mean, log_variance = self.encoder(batch.cells)
        latent = sample_latent(mean, log_variance) if self.training else mean
        fractions = self.deconvolution(batch.bulk)
        return NetworkOutput(
            reconstruction=self.decoder(latent),
            mean=mean,
            log_variance=log_variance,
            # unlike indexing, index_select sums its gradient in the same order every time
            prototype=self.signature.prototypes(self.membership).index_select(1, batch.cell_type),
            fractions=fractions,
            reconstructed_bulk=self.signature.mix(fractions),
        )
