"""Calibration of the intervals: errors on mixtures of held-out cells, in standard deviations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import InputError
from hpvade._keys import ALL_TYPES
from hpvade._warnings import DataWarning, warn
from hpvade.deconvolve._validation import Validation, ValidationTables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hpvade.deconvolve._estimate import Estimate
    from hpvade.pp import Hierarchy

_COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Names of the arrays that a model file stores.
_SCORES, _LEVEL = "scores", "scores_of_level_"


def check_coverage(coverage: float) -> None:
    """Refuse a coverage that is not between 0 and 1, with an `InputError`."""
    if not 0 < coverage < 1:
        msg = f"The coverage {coverage:g} is out of range: it must be between 0 and 1, e.g. 0.9."
        raise InputError(msg)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Errors on calibration mixtures, each divided by its standard deviation.

    Split conformal prediction with a normalised score (Papadopoulos et al., 2002; Lei et al., 2018): for a
    sample that is exchangeable with the mixtures, the interval of a type contains its fraction with at least
    the requested probability, whatever the distribution of the errors. Real samples are not exchangeable with
    simulated ones. The intervals apply to them because their errors grow with their own residuals; a model
    also widens them by 15%, the excess of errors on real samples of known composition, where genes err
    together.

    Attributes
    ----------
    scores
        Absolute error / sd, sorted for each type, shape (n_mixtures, n_types).
    levels
        The same for the groups of each level above the types, the coarsest first.
    """

    scores: NDArray[np.float64]
    levels: tuple[NDArray[np.float64], ...] = ()

    @property
    def largest_coverage(self) -> float:
        """Largest coverage that the number of mixtures allows."""
        return len(self.scores) / (len(self.scores) + 1)

    def for_level(self, level: int) -> Calibration:
        """Return the calibration of the groups of a level, 0 … n_levels-1."""
        return Calibration(self.levels[level])

    def interval(
        self, fractions: NDArray[np.floating], sd: NDArray[np.floating], *, coverage: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper bounds of fractions, within 0 and 1.

        Parameters
        ----------
        fractions, sd
            Shape (n_samples, n_types).
        coverage
            Requested coverage, between 0 and 1. n mixtures allow at most n / (n + 1), which is .995 for 200.
            Above it the bounds are 0 and 1, with a `DataWarning`.
        """
        rank = math.ceil((len(self.scores) + 1) * coverage)
        if rank > len(self.scores):
            warn(
                f"Intervals with coverage {coverage:g} extend from 0 to 1, because {len(self.scores)} "
                f"calibration mixtures allow a coverage of {self.largest_coverage:.3f} at most. Train with a "
                "larger n_calibration (section deconvolve).",
                DataWarning,
            )
            return np.zeros_like(fractions), np.ones_like(fractions)
        half_width = self.scores[rank - 1] * sd
        return np.maximum(fractions - half_width, 0), np.minimum(fractions + half_width, 1)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays that a model file stores; `from_arrays` reads them."""
        arrays = {_SCORES: self.scores}
        arrays |= {f"{_LEVEL}{i}": scores for i, scores in enumerate(self.levels)}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Calibration:
        """Make a calibration of the arrays of `to_arrays`.

        Raises
        ------
        ValueError
            Some arrays are missing, or are not those of a calibration.
        """
        n_levels = sum(name.startswith(_LEVEL) for name in arrays)
        levels = [f"{_LEVEL}{i}" for i in range(n_levels)]
        if different := {_SCORES, *levels} ^ set(arrays):
            msg = f"the calibration has missing or unexpected arrays: {', '.join(sorted(different))}"
            raise ValueError(msg)
        return cls(arrays[_SCORES], tuple(arrays[name] for name in levels))


def calibrate(validation: Validation, *, hierarchy: Hierarchy) -> Calibration:
    """Calibrate on the errors of a validation, for the types and for the groups of each level."""
    levels = [hierarchy.membership(level) for level in hierarchy.levels]
    return Calibration(
        _scores(validation.estimate, validation.truth),
        tuple(_scores(validation.estimate.sum_groups(level), validation.truth @ level) for level in levels),
    )


def interval_coverage(table: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Measure the share of true fractions that lie within their intervals, for several requested coverages.

    Parameters
    ----------
    table
        As `Validation.table` makes it, for mixtures that ``calibration`` was not made with.
    calibration
        The model's.

    Returns
    -------
    Requested coverage × types: observed coverage. The first column, ``all types``, is the mean over types.
    The requested coverages are those of 0.1, 0.2, … 0.9, 0.95 that the number of calibration mixtures allows.
    """
    truth, fractions, sd = (values.to_numpy() for values in ValidationTables.from_table(table))
    requested = [coverage for coverage in _COVERAGES if coverage <= calibration.largest_coverage]
    observed = []
    for coverage in requested:
        lower, upper = calibration.interval(fractions, sd, coverage=coverage)
        observed.append(((lower <= truth) & (truth <= upper)).mean(0))
    types = dict.fromkeys(table["cell_type"])
    names = [f"{name} (a type)" if name == ALL_TYPES else name for name in types]
    result = pd.DataFrame(observed, index=pd.Index(requested, name="coverage"), columns=names)
    result.insert(0, ALL_TYPES, result.mean(axis=1))
    return result


def _scores(estimate: Estimate, truth: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.sort(np.abs(estimate.fractions - truth) / estimate.sd, axis=0)
