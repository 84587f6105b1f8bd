"""How a model did in its trial: on new mixtures of known composition."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

from hpvade import _keys
from hpvade._warnings import DegenerateMetricWarning
from hpvade.deconvolve import ValidationTables, interval_coverage
from hpvade.metrics import evaluate

if TYPE_CHECKING:
    import pandas as pd

    from hpvade.model import HPVADE

JUDGED_LEVEL = 0.9


class ModelAccuracy(NamedTuple):
    """A trial, judged.

    Attributes
    ----------
    trial
        Answers and truth, mixtures × cell types.
    per_type
        Cell types × metrics, as `hpvade.metrics.evaluate` makes them.
    held
        Levels × cell types: observed coverage, as `hpvade.deconvolve.interval_coverage` makes it.
    """

    trial: ValidationTables
    per_type: pd.DataFrame
    held: pd.DataFrame

    @property
    def r_type(self) -> float:
        """Mean over types of Pearson r; NaN if no type has one."""
        return float(self.per_type["r"].mean())

    @property
    def coverage(self) -> float:
        """Share of fractions within their 90 % interval; NaN if the model cannot make such intervals."""
        held = self.held[_keys.ALL_TYPES]
        return float(held.get(JUDGED_LEVEL, float("nan")))


def skill(model: HPVADE) -> ModelAccuracy | None:
    """Judge a model by its trial; None for one that was not trained."""
    if model.calibration is None:
        return None
    trial = ValidationTables.from_table(model.heldout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateMetricWarning)  # what is undefined stands in the table
        per_type = evaluate(trial.fraction, trial.truth, n_bootstrap=0).per_type
    return ModelAccuracy(trial, per_type, interval_coverage(model.heldout, model.calibration))
