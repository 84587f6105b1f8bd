"""The result of deconvolving bulk samples."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

UNKNOWN_NOT_AVAILABLE = (
    "Unknown content cannot be estimated: at least three cell types and 100 genes that all of them express "
    "are needed. Leave out the column of unknown content."
)


class LevelFractions(NamedTuple):
    """Fractions of the groups of one level, and the bounds of their intervals; samples × groups."""

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Deconvolution:
    """Fractions of a table of bulk samples, with their intervals and quality.

    Attributes
    ----------
    fractions
        Cell fractions p, samples × cell types; rows sum to 1.
    lower, upper
        Bounds of the interval of each fraction, samples × cell types, in [0, 1].
    rna_fractions
        RNA fractions r, samples × cell types; rows sum to 1.
    covariance
        Covariance of the fractions before calibration, shape (n_samples, n_types, n_types).
    qc
        Per sample, as `quality` makes it.
    levels
        Name of each level above the types → its fractions, sums of those of the types.
    """

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame
    rna_fractions: pd.DataFrame
    covariance: NDArray[np.float64]
    qc: pd.DataFrame
    levels: dict[str, LevelFractions]

    def with_unknown(self) -> Deconvolution:
        """Add a column of unknown content, and rescale the fractions and their bounds.

        RNA fractions remain those among the known types: the RNA content of an unknown cell is not known.

        Raises
        ------
        InputError
            A type has the name of the column, or unknown content cannot be estimated.
        """
        if any(_keys.UNKNOWN in t for t in (self.fractions, *(v.fractions for v in self.levels.values()))):
            msg = (
                f"A cell type or group is named '{_keys.UNKNOWN}', like the column of unknown content. "
                "Rename it with --label-map, or leave out the column."
            )
            raise InputError(msg)
        unknown = self.qc[["unknown", "unknown_lower", "unknown_upper"]]
        if unknown.isna().any(axis=None):
            raise InputError(UNKNOWN_NOT_AVAILABLE)
        share, lower, upper = (unknown[name] for name in unknown)

        def rescaled(known: LevelFractions) -> LevelFractions:
            scales = ((1 - share, share), (1 - upper, lower), (1 - lower, upper))
            tables = (
                table.mul(scale, axis=0).assign(**{_keys.UNKNOWN: added})
                for table, (scale, added) in zip(known, scales, strict=True)
            )
            return LevelFractions(*tables)

        fractions, lower_bounds, upper_bounds = rescaled(
            LevelFractions(self.fractions, self.lower, self.upper)
        )
        return replace(
            self,
            fractions=fractions,
            lower=lower_bounds,
            upper=upper_bounds,
            levels={name: rescaled(level) for name, level in self.levels.items()},
        )

    @classmethod
    def concatenate(cls, blocks: Sequence[Deconvolution]) -> Deconvolution:
        """Concatenate the results of blocks of samples of one table."""
        levels = {
            name: LevelFractions(*map(pd.concat, zip(*(block.levels[name] for block in blocks), strict=True)))
            for name in blocks[0].levels
        }
        tables = {
            field.name: pd.concat([getattr(block, field.name) for block in blocks])
            for field in fields(cls)
            if field.name not in ("levels", "covariance")
        }
        covariance = np.concatenate([block.covariance for block in blocks])
        return cls(**tables, covariance=covariance, levels=levels)
