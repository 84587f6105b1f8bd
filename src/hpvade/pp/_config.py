"""Settings of the preparation stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PreprocessConfig(BaseModel):
    """How a reference is prepared: genes and split.

    Attributes
    ----------
    n_genes
        Highly variable genes (``seurat_v3`` on counts) to take. 0 takes none.
    n_markers
        Marker genes to take per cell type, beside the highly variable ones; the first are trusted most.
    n_states
        States per cell type to look for at most; a state has 25 cells or more on average. 1: none.
    drop_ribosomal_mitochondrial
        Leave out ribosomal and mitochondrial genes: their level follows the protocol more than the type.
    heldout
        Share of cells that are held out for validation.
    min_cells
        Fewest cells of a type; below four there would be no two to learn from beside a held-out one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_genes: int = Field(default=0, ge=0)
    n_markers: int = Field(default=240, ge=0)
    n_states: int = Field(default=5, ge=1)
    drop_ribosomal_mitochondrial: bool = True
    heldout: float = Field(default=0.2, gt=0, le=0.5)
    min_cells: int = Field(default=10, ge=4)
