"""Settings of the simulation stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat


class SimulateConfig(BaseModel):
    """How mixtures are made.

    Attributes
    ----------
    n_mixtures
        Mixtures drawn from the training cells.
    n_heldout
        Mixtures drawn from the held-out cells.
    n_cells
        Cells per mixture.
    concentration
        Dirichlet concentration per type.
    prior
        Cell type → expected fraction. When given, the Dirichlet of half of the mixtures is centred on it.
    sparse
        Share of mixtures in which some types are absent.
    one_source
        Draw each type of a mixture from one source (donor or reference), where sources are known.
    platform_width
        A mixture's platform effect is log-normal per gene; its width is uniform between 0 and this.
    platform_tail
        Spread of that width over genes, log scale: a few genes are far off. 0 gives all genes one width.
    depth
        Reads per sample, (lowest, highest), drawn log-uniformly; None adds no sequencing noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_mixtures: int = Field(default=5_000, ge=1)
    n_heldout: int = Field(default=1_000, ge=2)
    n_cells: int = Field(default=500, ge=1)
    concentration: float = Field(default=1.0, ge=1e-3)
    prior: dict[str, NonNegativeFloat] | None = None
    sparse: float = Field(default=0.5, ge=0, le=1)
    one_source: bool = True
    platform_width: float = Field(default=1.0, ge=0)
    platform_tail: float = Field(default=0.7, ge=0)
    depth: tuple[PositiveFloat, PositiveFloat] | None = None
