"""Deconvolution of bulk samples: fit, intervals, unknown content, expression, quality, and baselines."""

from hpvade.deconvolve import baselines
from hpvade.deconvolve._config import DeconvolveConfig
from hpvade.deconvolve._covariance import fraction_covariance
from hpvade.deconvolve._detection import Detection
from hpvade.deconvolve._estimate import Estimate, Estimator
from hpvade.deconvolve._excess import Excess
from hpvade.deconvolve._expression import expression_table, split_by_cell_type
from hpvade.deconvolve._fit import FractionFit
from hpvade.deconvolve._foreign_content import ForeignContent, check_purity, unknown_table
from hpvade.deconvolve._intervals import Calibration, calibrate, check_coverage, interval_coverage
from hpvade.deconvolve._quality import FLAGS, JUDGED_COVERAGE, QC_COLUMNS, QCColumn, is_flat, quality
from hpvade.deconvolve._result import Deconvolution, LevelFractions, refuse_unknown
from hpvade.deconvolve._sum_types import sum_types
from hpvade.deconvolve._unknown import UnknownContent
from hpvade.deconvolve._validation import Validation, ValidationTables, validate_on_mixtures

__all__ = [
    "FLAGS",
    "JUDGED_COVERAGE",
    "QC_COLUMNS",
    "Calibration",
    "Deconvolution",
    "DeconvolveConfig",
    "Detection",
    "Estimate",
    "Estimator",
    "Excess",
    "ForeignContent",
    "FractionFit",
    "LevelFractions",
    "QCColumn",
    "UnknownContent",
    "Validation",
    "ValidationTables",
    "baselines",
    "calibrate",
    "check_coverage",
    "check_purity",
    "expression_table",
    "fraction_covariance",
    "interval_coverage",
    "is_flat",
    "quality",
    "refuse_unknown",
    "split_by_cell_type",
    "sum_types",
    "unknown_table",
    "validate_on_mixtures",
]
