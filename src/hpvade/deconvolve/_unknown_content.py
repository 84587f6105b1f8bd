"""Unknown content of samples: its share with an interval, and the genes that speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from hpvade.deconvolve._unknown import (
    generic_cell_of,
    generic_share,
    log_excess,
    top_unexplained_genes,
    usual_excess,
)
from hpvade.pp import is_ribosomal_or_mitochondrial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.deconvolve._unknown import GenericCell
    from hpvade.deconvolve._unknown_calibration import UnknownCalibration
    from hpvade.pp import ReferenceSignature


class UnknownContent:
    """What tells unknown content in samples of one table; see `of`.

    Attributes
    ----------
    usual
        Excess of the telling genes that other samples have too, shape (n_telling,); 0 before
        `look_at_excess`.
    """

    def __init__(
        self,
        cell: GenericCell | None,
        calibration: UnknownCalibration | None,
        *,
        names: pd.Index,
        telling: NDArray[np.bool_],
        counts: NDArray[np.float64],
        config: DeconvolveConfig,
    ) -> None:
        self.cell = cell
        self.calibration = calibration
        self.names = list(names[telling])
        self.telling = telling
        self.counts = counts
        self.config = config
        self.usual = np.zeros(len(self.names))

    @classmethod
    def of(
        cls,
        signature: ReferenceSignature,
        *,
        trust: NDArray[np.floating],
        measured: NDArray[np.bool_],
        calibration: UnknownCalibration | None,
        config: DeconvolveConfig,
    ) -> Self:
        """Make it for a table.

        Parameters
        ----------
        signature, trust
            The reference, and the trust of the model's genes.
        measured
            Genes of the reference that the table has, shape (n_genes,).
        calibration
            From types that were left out; None: nothing is told of the share.
        config
            Noise floor, and level of the interval.
        """
        names = pd.Index(signature.all_genes.genes)
        telling = measured & ~is_ribosomal_or_mitochondrial(names)
        cell = None if calibration is None else generic_cell_of(signature, trust=trust, measured=measured)
        counts = signature.cell_counts()[telling]
        return cls(cell, calibration, names=names, telling=telling, counts=counts, config=config)

    def look_at_excess(self, linear: NDArray[np.float64], fractions: NDArray[np.float64]) -> None:
        """Learn from some samples what all have in excess; parameters as for `table`."""
        self.usual = usual_excess(self._excess(linear, fractions))

    def table(self, linear: NDArray[np.float64], fractions: NDArray[np.float64]) -> pd.DataFrame:
        """Estimate the share of each sample's cells that are of no known type.

        Parameters
        ----------
        linear
            Samples over all genes of the reference, above background, shape (n_samples, n_genes).
        fractions
            Cell fractions of the known types, shape (n_samples, n_types), rows sum to 1.

        Returns
        -------
        Samples × ``unknown``, ``unknown_lower``, ``unknown_upper`` (shares of cells; NaN: nothing is told)
        and ``unknown_genes``, those that the known types explain least.
        """
        share = lower = upper = np.full(len(linear), np.nan)
        if self.cell is not None and self.calibration is not None:
            generic = generic_share(
                linear[:, self.cell.genes],
                fractions=fractions,
                cell=self.cell,
                noise_floor=self.config.noise_floor,
            )
            share = self.calibration.share(generic)
            lower, upper = self.calibration.interval(share, level=self.config.level)
        excess = self._excess(linear, fractions) - self.usual
        genes = top_unexplained_genes(excess, linear[:, self.telling], names=self.names)
        columns = {"unknown": share, "unknown_lower": lower, "unknown_upper": upper, "unknown_genes": genes}
        return pd.DataFrame(columns)

    def _excess(self, linear: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        known = fractions @ self.counts.T
        return log_excess(linear[:, self.telling], known=known, noise_floor=self.config.noise_floor)
