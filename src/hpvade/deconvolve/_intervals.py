"""Intervals that hold: how far off fractions were on mixtures of held-out cells, measured in their own sd."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._keys import ALL_TYPES
from hpvade._warnings import DataWarning, warn
from hpvade.deconvolve._validation import Validation, ValidationTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.deconvolve._estimate import Estimate
    from hpvade.deconvolve._unknown_calibration import UnknownCalibration
    from hpvade.pp import Hierarchy

_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Errors on calibration mixtures, each divided by its standard deviation.

    Split conformal prediction with a normalised score (Papadopoulos et al., 2002; Lei et al., 2018): for a
    sample that is exchangeable with the mixtures, the interval of a type holds its fraction with at least
    the wanted probability, whatever the errors' distribution. Real samples are not exchangeable with any
    simulation; that their errors grow with their own residuals is what carries the interval over.

    Attributes
    ----------
    scores
        Absolute error / sd, sorted for each type, shape (n_mixtures, n_types).
    levels
        The same for the groups of each level above the types, the coarsest first.
    unknown
        The same for unknown content; None: nothing is told of it.
    """

    scores: NDArray[np.float64]
    levels: tuple[NDArray[np.float64], ...] = ()
    unknown: UnknownCalibration | None = None

    @property
    def largest_level(self) -> float:
        """Largest coverage that the number of mixtures allows."""
        return len(self.scores) / (len(self.scores) + 1)

    def of_level(self, level: int) -> Calibration:
        """Return the calibration of the groups of a level, 0 … n_levels-1."""
        return Calibration(self.levels[level])

    def interval(
        self, fractions: NDArray[np.floating], sd: NDArray[np.floating], *, level: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper bounds of fractions, within 0 and 1.

        Parameters
        ----------
        fractions, sd
            Shape (n_samples, n_types).
        level
            Wanted coverage, between 0 and 1. One above n / (n + 1) for n mixtures (.995 for 200) cannot be
            had: the bounds are then 0 and 1, with a `DataWarning`.
        """
        rank = math.ceil((len(self.scores) + 1) * level)
        if rank > len(self.scores):
            warn(
                f"Intervals of {level:g} go from 0 to 1: {len(self.scores)} calibration mixtures "
                f"allow {self.largest_level:.3f} at most. Set n_calibration of the section deconvolve when "
                "training.",
                DataWarning,
            )
            return np.zeros_like(fractions), np.ones_like(fractions)
        half_width = self.scores[rank - 1] * sd
        return np.maximum(fractions - half_width, 0), np.minimum(fractions + half_width, 1)


def calibrate(trial: Validation, *, hierarchy: Hierarchy) -> Calibration:
    """Keep how far off the answers of a trial are, of the types and of the groups of each level."""
    levels = [hierarchy.membership(level) for level in hierarchy.levels]
    return Calibration(
        _scores(trial.answer, trial.truth),
        tuple(_scores(trial.answer.of_groups(level), trial.truth @ level) for level in levels),
    )


def coverage(heldout: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Say which share of the true fractions of a trial lies within intervals of several levels.

    Parameters
    ----------
    heldout
        As `Validation.table` makes it, of mixtures that ``calibration`` has not seen.
    calibration
        The model's.

    Returns
    -------
    Levels × types, observed coverage; the first column, ``all types``, is that of all of them together. The
    levels are those of 0.1, 0.2, … 0.9, 0.95 that the number of calibration mixtures allows.
    """
    truth, fractions, sd = (table.to_numpy() for table in ValidationTables.of(heldout))
    covered = []
    levels = [level for level in _LEVELS if level <= calibration.largest_level]
    for level in levels:
        lower, upper = calibration.interval(fractions, sd, level=level)
        covered.append(((lower <= truth) & (truth <= upper)).mean(0))
    types = dict.fromkeys(heldout["cell_type"])
    names = [f"{name} (a type)" if name == ALL_TYPES else name for name in types]
    table = pd.DataFrame(covered, index=pd.Index(levels, name="level"), columns=names)
    table.insert(0, ALL_TYPES, table.mean(axis=1))
    return table


def _scores(answer: Estimate, truth: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.sort(np.abs(answer.fractions - truth) / answer.sd, axis=0)
