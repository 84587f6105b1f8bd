"""Settings of the simulation stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat

from hpvade import _limits as limits

_Reads = Annotated[float, Field(gt=0, le=limits.MAX_READS)]


class SimulateConfig(BaseModel):
    """How mixtures are simulated.

    Attributes
    ----------
    n_mixtures
        Number of mixtures from training cells.
    n_heldout
        Number of mixtures from held-out cells.
    n_cells
        Cells per mixture.
    concentration
        Dirichlet concentration per type.
    prior
        Cell type → expected fraction. When given, half of the mixtures are drawn around it.
    sparse
        Share of mixtures in which some types are absent.
    one_source
        Draw each type of a mixture from one source (donor or reference) where sources are known.
    platform_width
        Maximum width of the platform effect, which is log-normal per gene; 0 disables it.
    platform_tail
        Spread of that width over genes, log scale, so that a few genes differ strongly; 0 gives one width.
    depth
        Reads per sample, (minimum, maximum), drawn log-uniformly; None adds no sequencing noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_mixtures: int = Field(default=2_000, ge=1, le=limits.MAX_MIXTURES)
    n_heldout: int = Field(default=500, ge=2, le=limits.MAX_MIXTURES)
    n_cells: int = Field(default=300, ge=1, le=limits.MAX_CELLS_PER_MIXTURE)
    concentration: float = Field(default=1.0, ge=1e-3, le=limits.MAX_WEIGHT)
    prior: dict[str, NonNegativeFloat] | None = None
    sparse: float = Field(default=0.5, ge=0, le=1)
    one_source: bool = True
    platform_width: float = Field(default=1.0, ge=0, le=10)
    platform_tail: float = Field(default=0.7, ge=0, le=10)
    depth: tuple[_Reads, _Reads] | None = None
