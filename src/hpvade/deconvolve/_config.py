"""Settings of the deconvolution of bulk samples with a trained network."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat


class DeconvolveConfig(BaseModel):
    """How a bulk sample is answered.

    Attributes
    ----------
    subtract_background
        Take the background level of each sample off first; matters for arrays, next to nothing in RNA-seq.
    fit
        Fit each sample by S·r with the network's answer as prior. False: the network's answer as it is.
    prior_strength
        Weight of the network's answer in the fit, for each state, in squared log deviations of one gene.
    noise_floor
        CPM below which differences in expression are taken for noise in the fit.
    outlier
        Standard deviations of a sample's residuals beyond which a gene loses its vote in the fit; None
        leaves all genes theirs.
    level
        Coverage of the intervals. They are calibrated, when training ends, with the settings above.
    with_unknown
        Give unknown content a column in the tables of fractions, which then sum to 1 with it.
    n_calibration
        Mixtures to calibrate on; at most those of held-out cells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    subtract_background: bool = True
    fit: bool = True
    prior_strength: float = Field(default=0.2, ge=0)
    noise_floor: float = Field(default=25.0, gt=0)
    outlier: PositiveFloat | None = 2.0
    level: float = Field(default=0.9, gt=0, lt=1)
    with_unknown: bool = False
    n_calibration: int = Field(default=200, ge=1)
