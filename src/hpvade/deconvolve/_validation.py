"""Validation of a model on mixtures of known composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade.deconvolve._estimate import Estimate, Estimator
from hpvade.simulate import add_unseen_platform_effects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.nn import HPVADENetwork
    from hpvade.pp import CellStates


class Validation(NamedTuple):
    """The estimate for mixtures, and their true cell fractions, shape (n_mixtures, n_types)."""

    estimate: Estimate
    truth: NDArray[np.float64]

    def table(self, cell_types: Sequence[str]) -> pd.DataFrame:
        """One row per mixture and type: ``mixture``, ``cell_type``, ``truth``, ``fraction``, ``sd``.

        ``sd`` is the standard deviation of the fraction before calibration.
        """
        n, n_types = self.truth.shape
        return pd.DataFrame(
            {
                "mixture": np.repeat(np.arange(n), n_types),
                "cell_type": np.tile(list(cell_types), n),
                "truth": self.truth.ravel(),
                "fraction": self.estimate.fractions.ravel(),
                "sd": self.estimate.sd.ravel(),
            }
        )


def validate_on_mixtures(
    network: HPVADENetwork,
    mixtures: NDArray[np.floating],
    truth: NDArray[np.floating],
    *,
    states: CellStates,
    content_sd: NDArray[np.float64],
    config: DeconvolveConfig,
    rng: np.random.Generator,
) -> Validation:
    """Deconvolve mixtures under platform effects unlike those of training.

    The RNA content of each type also differs from m in each mixture: with log-normal factors f, the true
    fractions become p / f, scaled to sum 1, and the expression is unchanged.

    Parameters
    ----------
    network
        A trained network.
    mixtures
        Mixtures of cells that the network was not trained on, although S, m and the states were made with
        them; shape (n_mixtures, n_genes), CPM, without effects.
    truth
        Their cell fractions, shape (n_mixtures, n_types).
    states
        States of the cell types.
    content_sd
        Standard deviation of log f, shape (n_types,).
    config
        How samples will be deconvolved.
    rng
        Source of the platform effects and of f.
    """
    every_gene = np.ones(mixtures.shape[1], dtype=bool)
    estimator = Estimator(network, measured=every_gene, states=states, content_sd=content_sd, config=config)
    estimate = estimator(add_unseen_platform_effects(mixtures, rng=rng))
    truth = truth / np.exp(content_sd * rng.standard_normal(truth.shape))
    return Validation(estimate, truth / truth.sum(1, keepdims=True))


class ValidationTables(NamedTuple):
    """A validation as tables, mixtures × cell types; fields named as the columns of `Validation.table`."""

    truth: pd.DataFrame
    fraction: pd.DataFrame
    sd: pd.DataFrame

    @classmethod
    def from_table(cls, validation: pd.DataFrame) -> ValidationTables:
        """Split the table that `Validation.table` makes."""
        types = list(dict.fromkeys(validation["cell_type"]))
        return cls(
            *(
                validation.pivot(index="mixture", columns="cell_type", values=name)[types]
                for name in cls._fields
            )
        )
