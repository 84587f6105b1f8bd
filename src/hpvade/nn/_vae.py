"""The VAE on single cells; input and output are in log space."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _hidden_layer(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.GELU())


class Encoder(nn.Module):
    """Cells → q(z|x) = N(μ, σ²).

    Parameters
    ----------
    n_genes, n_latent, n_hidden
        Sizes of input, latent space and hidden layer.
    """

    def __init__(self, n_genes: int, *, n_latent: int, n_hidden: int) -> None:
        super().__init__()
        self.hidden = _hidden_layer(n_genes, n_hidden)
        self.mean = nn.Linear(n_hidden, n_latent)
        self.log_variance = nn.Linear(n_hidden, n_latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log σ², each (batch, n_latent), for cells ``x`` (batch, n_genes) in log space."""
        h = self.hidden(x)
        return self.mean(h), self.log_variance(h)


class Decoder(nn.Module):
    """Latent → x̂, with a linear output because log space has no upper bound."""

    def __init__(self, n_genes: int, *, n_latent: int, n_hidden: int) -> None:
        super().__init__()
        self.hidden = _hidden_layer(n_latent, n_hidden)
        self.output = nn.Linear(n_hidden, n_genes)

    def forward(self, z: Tensor) -> Tensor:
        """Return x̂ (batch, n_genes), log space, for latents ``z`` (batch, n_latent)."""
        x_hat: Tensor = self.output(self.hidden(z))
        return x_hat


def sample_latent(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw z = μ + σ·ε with ε ~ N(0, 1) (reparametrisation; Kingma & Welling, 2014)."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
