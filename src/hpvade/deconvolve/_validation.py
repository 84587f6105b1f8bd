"""A model put to the test: mixtures of known composition, and what it answers."""

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
    """The answer for mixtures, and their true cell fractions, shape (n_mixtures, n_types)."""

    answer: Estimate
    truth: NDArray[np.float64]

    def table(self, cell_types: Sequence[str]) -> pd.DataFrame:
        """One row for each mixture and type: ``mixture``, ``cell_type``, ``truth``, ``fraction``, ``sd``.

        ``sd`` is the standard deviation of the fraction before calibration.
        """
        n, n_types = self.truth.shape
        return pd.DataFrame(
            {
                "mixture": np.repeat(np.arange(n), n_types),
                "cell_type": np.tile(list(cell_types), n),
                "truth": self.truth.ravel(),
                "fraction": self.answer.fractions.ravel(),
                "sd": self.answer.sd.ravel(),
            }
        )


def validate_on_mixtures(
    network: HPVADENetwork,
    mixtures: NDArray[np.floating],
    truth: NDArray[np.floating],
    *,
    states: CellStates,
    content_sd: float,
    config: DeconvolveConfig,
    rng: np.random.Generator,
) -> Validation:
    """Answer mixtures under platform effects unlike those of training.

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
    content_sd
        Standard deviation of log f.
    config
        How samples will be answered.
    rng
        Source of the platform effects and of f.
    """
    every_gene = np.ones(mixtures.shape[1], dtype=bool)
    estimator = Estimator(network, measured=every_gene, states=states, content_sd=content_sd, config=config)
    answer = estimator(add_unseen_platform_effects(mixtures, rng=rng))
    truth = truth / np.exp(content_sd * rng.standard_normal(truth.shape))
    return Validation(answer, truth / truth.sum(1, keepdims=True))


class ValidationTables(NamedTuple):
    """A trial as tables, mixtures × cell types; columns as `Validation.table` names them."""

    truth: pd.DataFrame
    fraction: pd.DataFrame
    sd: pd.DataFrame

    @classmethod
    def of(cls, heldout: pd.DataFrame) -> ValidationTables:
        """Take what `Validation.table` made apart."""
        types = list(dict.fromkeys(heldout["cell_type"]))
        return cls(
            *(heldout.pivot(index="mixture", columns="cell_type", values=name)[types] for name in cls._fields)
        )
