"""The deconvolution network: bulk sample → cell fractions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hpvade.pp import cpm_to_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpvade.nn._config import NetworkConfig


class DeconvolutionNetwork(nn.Module):
    """Several independent perceptrons (members) with a softmax each.

    In log space, the input is each gene's deviation from its mean over training mixtures, and 0 means that
    nothing is known about the gene. Input dropout in training and a gene missing from a bulk table at
    prediction therefore look the same to a member.

    Parameters
    ----------
    n_genes, n_types
        Sizes of input and output.
    config
        Widths, dropout, number of members, input space.
    mean_log
        Mean of each gene over training mixtures, log space, shape (n_genes,).
    trust
        Trust in each gene, 0 to 1, shape (n_genes,). In log space it scales the gene's deviation.
    """

    center: Tensor
    trust: Tensor

    def __init__(
        self, n_genes: int, n_types: int, *, config: NetworkConfig, mean_log: Tensor, trust: Tensor
    ) -> None:
        super().__init__()
        self.input_space = config.input_space
        self.register_buffer("center", mean_log)
        self.register_buffer("trust", trust)
        self.hide = nn.Dropout(config.input_dropout)  # the same genes for all members
        self.members = nn.ModuleList(
            _member([n_genes, *config.hidden], n_types, config) for _ in range(config.members)
        )

    def forward(self, cpm: Tensor, measured: Tensor | None = None) -> Tensor:
        """Estimate cell fractions.

        Parameters
        ----------
        cpm
            Bulk samples, shape (batch, n_genes), CPM.
        measured
            Mask of the genes that were measured, shape (n_genes,). Default: all.

        Returns
        -------
        Fractions p of every member, shape (members, batch, n_types); the last axis sums to 1.
        """
        x = (cpm_to_log(cpm) - self.center) * self.trust if self.input_space == "log" else cpm
        if measured is not None:
            x = x * measured
        x = self.hide(x)
        return torch.stack([member(x).softmax(-1) for member in self.members])


def _member(widths: Sequence[int], n_types: int, config: NetworkConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers.append(nn.Linear(n_in, n_out))
        if config.layer_norm:
            layers.append(nn.LayerNorm(n_out))
        layers += [nn.GELU(), nn.Dropout(config.dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], n_types))
