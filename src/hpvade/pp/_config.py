"""Settings of the preparation stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hpvade import _limits as limits


class PreprocessConfig(BaseModel):
    """How a reference is prepared: genes, cell states and split.

    Attributes
    ----------
    n_genes
        Number of highly variable genes (``seurat_v3`` on counts). 0 selects none.
    n_markers
        Marker genes per cell type, in addition to highly variable genes; the first are trusted most.
    n_states
        Maximum number of states per cell type; a state has at least 25 cells on average. 1 disables states.
    drop_ribosomal_mitochondrial
        Leave out ribosomal and mitochondrial genes: their level depends more on protocol than on type.
    heldout
        Share of cells held out for validation.
    min_cells
        Minimum number of cells per type; at least four, so that two remain for training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_genes: int = Field(default=0, ge=0, le=limits.MAX_GENES)
    n_markers: int = Field(default=240, ge=0, le=limits.MAX_GENES)
    n_states: int = Field(default=5, ge=1, le=limits.MAX_STATES)
    drop_ribosomal_mitochondrial: bool = True
    heldout: float = Field(default=0.2, gt=0, le=0.5)
    min_cells: int = Field(default=10, ge=4)
