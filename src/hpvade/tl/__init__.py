"""Tools on bulk samples: deconvolution with a trained network, and baselines to stand beside it."""

from hpvade.tl import baselines
from hpvade.tl._calibration import Calibration, calibrate, coverage
from hpvade.tl._config import DeconvolveConfig
from hpvade.tl._covariance import fraction_covariance
from hpvade.tl._deconvolve import deconvolve, deconvolve_blocks
from hpvade.tl._estimate import Estimate, Estimator
from hpvade.tl._expression import ALL_ALIKE, part_samples
from hpvade.tl._fit import FractionFit
from hpvade.tl._groups import sum_types
from hpvade.tl._latent import Latent, latent
from hpvade.tl._leave_out import LabelledCells, UnknownCalibration, calibrate_unknown
from hpvade.tl._quality import FLAGS
from hpvade.tl._result import Deconvolution
from hpvade.tl._trial import Trial, TrialTables, try_out

__all__ = [
    "ALL_ALIKE",
    "FLAGS",
    "Calibration",
    "Deconvolution",
    "DeconvolveConfig",
    "Estimate",
    "Estimator",
    "FractionFit",
    "LabelledCells",
    "Latent",
    "Trial",
    "TrialTables",
    "UnknownCalibration",
    "baselines",
    "calibrate",
    "calibrate_unknown",
    "coverage",
    "deconvolve",
    "deconvolve_blocks",
    "fraction_covariance",
    "latent",
    "part_samples",
    "sum_types",
    "try_out",
]
