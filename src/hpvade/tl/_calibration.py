"""Intervals that hold: how far off fractions were on mixtures of held-out cells, measured in their own sd."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpvade._warnings import DataWarning, warn
from hpvade.simulate import add_foreign_effects
from hpvade.tl._estimate import Estimate, Estimator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.nn import HPVADENetwork
    from hpvade.pp import CellStates, Hierarchy
    from hpvade.tl._config import DeconvolveConfig
    from hpvade.tl._leave_out import UnknownCalibration


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
            largest = len(self.scores) / (len(self.scores) + 1)
            warn(
                f"Intervals of {level:g} go from 0 to 1: {len(self.scores)} calibration mixtures allow "
                f"{largest:.3f} at most. Set n_calibration of the section deconvolve when training.",
                DataWarning,
            )
            return np.zeros_like(fractions), np.ones_like(fractions)
        half_width = self.scores[rank - 1] * sd
        return np.maximum(fractions - half_width, 0), np.minimum(fractions + half_width, 1)


def calibrate(
    network: HPVADENetwork,
    mixtures: NDArray[np.floating],
    truth: NDArray[np.floating],
    *,
    states: CellStates,
    hierarchy: Hierarchy,
    content_sd: float,
    config: DeconvolveConfig,
    rng: np.random.Generator,
) -> Calibration:
    """Answer mixtures under platform effects unlike those of training, and keep how far off the answers are.

    Cells of a type hold more or less RNA in each mixture than m says: with log-normal factors f, its
    fractions become p / f, scaled to sum 1, and its expression stays as it is.

    Parameters
    ----------
    network
        A trained network.
    mixtures
        Mixtures of cells that the network was not trained on, though S, m and the states have seen them;
        shape (n_mixtures, n_genes), CPM, no effects.
    truth
        Their cell fractions, shape (n_mixtures, n_types).
    states
        States of the cell types.
    hierarchy
        Levels above the cell types.
    content_sd
        Standard deviation of log f.
    config
        How samples will be answered.
    rng
        Source of the platform effects and of f.
    """
    every_gene = np.ones(mixtures.shape[1], dtype=bool)
    estimator = Estimator(network, measured=every_gene, states=states, content_sd=content_sd, config=config)
    answer = estimator(add_foreign_effects(mixtures, rng=rng))
    truth = truth / np.exp(content_sd * rng.standard_normal(truth.shape))
    truth /= truth.sum(1, keepdims=True)
    levels = [hierarchy.membership(level) for level in hierarchy.levels]
    return Calibration(
        _scores(answer, truth), tuple(_scores(answer.of_groups(level), truth @ level) for level in levels)
    )


def _scores(answer: Estimate, truth: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.sort(np.abs(answer.fractions - truth) / answer.sd, axis=0)
