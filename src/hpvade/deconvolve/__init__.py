"""Tools on bulk samples: deconvolution with a trained network, and baselines to stand beside it."""

from hpvade.deconvolve import baselines
from hpvade.deconvolve._config import DeconvolveConfig
from hpvade.deconvolve._covariance import fraction_covariance
from hpvade.deconvolve._estimate import Estimate, Estimator
from hpvade.deconvolve._expression import ALL_ALIKE, split_by_cell_type
from hpvade.deconvolve._fit import FractionFit
from hpvade.deconvolve._intervals import Calibration, calibrate, coverage
from hpvade.deconvolve._quality import FLAGS
from hpvade.deconvolve._result import Deconvolution
from hpvade.deconvolve._sum_types import sum_types
from hpvade.deconvolve._unknown_calibration import LabelledCells, UnknownCalibration, calibrate_unknown
from hpvade.deconvolve._validation import Validation, ValidationTables, validate_on_mixtures

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
    "UnknownCalibration",
    "Validation",
    "ValidationTables",
    "baselines",
    "calibrate",
    "calibrate_unknown",
    "coverage",
    "fraction_covariance",
    "split_by_cell_type",
    "sum_types",
    "validate_on_mixtures",
]
