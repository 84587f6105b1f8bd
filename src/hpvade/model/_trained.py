"""The trained model: one frozen value that training returns and deconvolution takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from hpvade.pp import counts_to_cpm

if TYPE_CHECKING:
    from hpvade.deconvolve import Calibration
    from hpvade.model._config import HPVADEConfig
    from hpvade.nn import HPVADENetwork
    from hpvade.pp import CellStates, Hierarchy, ReferenceSignature


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Everything that estimates fractions, and where it came from.

    Nobody changes it, its network included: training further makes a new one.

    Attributes
    ----------
    network
        The trained network, in evaluation mode.
    reference_signature
        S and m of the reference over all genes, before training.
    states
        States of the cell types, over the model's genes.
    hierarchy
        Levels above the cell types.
    calibration
        Errors on calibration mixtures, from which intervals are made.
    validation
        Estimates for further mixtures of held-out cells, see `hpvade.deconvolve.Validation.table`.
    gene_names
        All genes of the reference with their other names, one row per gene.
    config
        All settings.
    settings
        Label and donor column, seed and preset.
    provenance
        Versions, facts about the reference, checksums of the inputs.
    """

    network: HPVADENetwork
    reference_signature: ReferenceSignature
    states: CellStates
    hierarchy: Hierarchy
    calibration: Calibration
    validation: pd.DataFrame
    gene_names: pd.DataFrame
    config: HPVADEConfig
    settings: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def cell_types(self) -> list[str]:
        """Cell types in the order of all outputs."""
        return list(self.reference_signature.all_genes.cell_types)

    @property
    def genes(self) -> tuple[str, ...]:
        """The model's genes."""
        return self.reference_signature.model_genes.genes

    @property
    def signature(self) -> pd.DataFrame:
        """Learned S, genes × cell types, CPM; columns sum to 1e6."""
        cpm = self.network.signature.cpm().detach().double().numpy()
        index = pd.Index(self.genes, name="gene")
        return pd.DataFrame(counts_to_cpm(cpm.T).T, index=index, columns=self.cell_types)
