"""Settings of the deconvolution of bulk samples with a trained network."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hpvade import _limits as limits
from hpvade.pp._spaces import NOISE_FLOOR


class DeconvolveConfig(BaseModel):
    """How bulk samples are deconvolved.

    Attributes
    ----------
    subtract_background
        Subtract the background of each sample first; matters for arrays, hardly for RNA-seq.
    fit
        Fit each sample by S·r with the network's estimate as prior. False: use the network's estimate.
    prior_strength
        Weight of the network's estimate in the fit, for each state, in squared log deviations of one gene.
    noise_floor
        CPM below which the fit treats differences in expression as noise.
    outlier
        Standard deviations of a sample's residuals beyond which a gene loses weight in the fit; None: no
        gene loses weight.
    n_calibration
        Number of mixtures that calibrate the intervals when training ends, with the settings above; at most
        the mixtures of held-out cells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    subtract_background: bool = True
    fit: bool = True
    prior_strength: float = Field(default=0.2, ge=0, le=limits.MAX_WEIGHT)
    noise_floor: float = Field(default=NOISE_FLOOR, gt=0, le=limits.MAX_WEIGHT)
    outlier: float | None = Field(default=2.0, gt=0, le=limits.MAX_WEIGHT)
    n_calibration: int = Field(default=200, ge=1, le=limits.MAX_MIXTURES)
