"""Accuracy of a model on the mixtures of known composition that it was validated on."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

from hpvade import _keys
from hpvade._warnings import DegenerateMetricWarning
from hpvade.deconvolve import ValidationTables, interval_coverage
from hpvade.metrics import evaluate

if TYPE_CHECKING:
    import pandas as pd

    from hpvade.model import TrainedModel

JUDGED_COVERAGE = 0.9


class ModelAccuracy(NamedTuple):
    """Agreement of a model with the truth.

    Attributes
    ----------
    validation
        Estimates and truth, mixtures × cell types.
    per_type
        Cell types × metrics, as `hpvade.metrics.evaluate` returns them.
    coverage
        Nominal coverage × cell types: observed coverage of the intervals.
    """

    validation: ValidationTables
    per_type: pd.DataFrame
    coverage: pd.DataFrame

    @property
    def r_type(self) -> float:
        """Mean over types of Pearson r; NaN if no type has one."""
        return float(self.per_type["r"].mean())

    @property
    def judged_coverage(self) -> float:
        """Share of fractions within their 90% interval; NaN if the model cannot make such intervals."""
        return float(self.coverage[_keys.ALL_TYPES].get(JUDGED_COVERAGE, float("nan")))


def model_accuracy(trained: TrainedModel) -> ModelAccuracy:
    """Return the accuracy of a trained model on its validation mixtures."""
    tables = ValidationTables.from_table(trained.validation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateMetricWarning)  # the table shows what is undefined
        per_type = evaluate(tables.fraction, tables.truth, n_bootstrap=0).per_type
    return ModelAccuracy(tables, per_type, interval_coverage(trained.validation, trained.calibration))
