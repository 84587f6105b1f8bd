"""What a cell of each type expresses over all genes of the reference, not only those of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.pp._aggregate import Signature

_N_ANCHORS = 1_000
_LEAST_EXPRESSED = 30.0  # CPM of an anchor in the type that expresses it least
_CONTENT_SD = 0.35  # of log m as one reference shows it, about what holds in bulk samples
_FLOOR = 25.0  # CPM below which a ratio of two types is noise


@dataclass(frozen=True)
class ReferenceSignature:
    """S and m over all genes, and which of them the model reads.

    Attributes
    ----------
    all_genes
        Over all genes of the reference.
    selected
        The model's genes, shape (n_genes,).
    anchor
        Genes that all types express alike, shape (n_genes,); none of them is the model's.
    n_references
        References that S and m are made of.
    """

    all_genes: Signature
    selected: NDArray[np.bool_]
    anchor: NDArray[np.bool_]
    n_references: int = 1

    @property
    def content_sd(self) -> float:
        """Standard deviation of each type's log m about what holds in bulk; several references average it."""
        return float(_CONTENT_SD / np.sqrt(self.n_references))

    @cached_property
    def model_genes(self) -> Signature:
        """S and m over the model's genes."""
        return self.all_genes.restricted(self.selected)

    def counts(self) -> NDArray[np.float64]:
        """Mean counts of one cell of each type, shape (n_genes, n_types)."""
        return self.all_genes.cpm * self.all_genes.rna_content / CPM_TOTAL


def anchor_genes(signature: Signature, candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Choose the candidates that all types express and that differ least between types; shape (n_genes,)."""
    lowest, highest = signature.cpm.min(1), signature.cpm.max(1)
    ratio = np.where(candidates & (lowest > _LEAST_EXPRESSED), (highest + _FLOOR) / (lowest + _FLOOR), np.inf)
    chosen = np.zeros(ratio.size, dtype=bool)
    chosen[np.argsort(ratio, kind="stable")[:_N_ANCHORS]] = True
    return chosen & np.isfinite(ratio)
