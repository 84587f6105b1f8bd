"""The learnable signature S, which both paths of the model share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hpvade.pp import cpm_to_log, rna_fractions
from hpvade.pp._spaces import CPM_TOTAL


class LearnableSignature(nn.Module):
    """S of the reference · exp(δ), each column scaled to 1e6, with δ = 0 at the start.

    S is non-negative by construction and equals that of the reference before training. Column k is always a
    reweighting of the profile of type k, so columns keep their meaning: a gene that a type does not express
    stays at zero.

    Parameters
    ----------
    cpm
        S of the reference, shape (n_genes, n_types), CPM, columns sum to 1e6.
    rna_content
        m over the same genes, shape (n_types,).
    """

    base: Tensor
    rna_content: Tensor

    def __init__(self, cpm: Tensor, *, rna_content: Tensor) -> None:
        super().__init__()
        self.register_buffer("base", cpm)
        self.register_buffer("rna_content", rna_content)
        self.log_change = nn.Parameter(torch.zeros_like(cpm))

    def cpm(self) -> Tensor:
        """Return S, shape (n_genes, n_types), CPM; columns sum to 1e6."""
        changed = self.base * torch.exp(self.log_change)
        return changed / changed.sum(0) * CPM_TOTAL

    def prototypes(self, membership: Tensor) -> Tensor:
        """Return the columns of S, and those of the groups of each type, in log space.

        The prototype of a group is the mixture of its types, one cell of each.

        Parameters
        ----------
        membership
            Matrices of 0 and 1 that sum types to groups, shape (n_levels, n_types, n_types).

        Returns
        -------
        Shape (1 + n_levels, n_types, n_genes): the column of each type, and that of its group at each level.
        """
        columns = self.cpm().T
        share = membership @ membership.mT * self.rna_content
        groups = share / share.sum(-1, keepdim=True) @ columns
        return cpm_to_log(torch.cat([columns[None], groups]))

    def mix(self, fractions: Tensor) -> Tensor:
        """Return S·r, shape (..., n_genes), CPM, for cell fractions p of shape (..., n_types)."""
        return rna_fractions(fractions, self.rna_content) @ self.cpm().T
