"""The answer for bulk samples."""

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

NOTHING_TOLD = (
    "Nothing is told of unknown content: that takes three cell types and 100 genes that all of them express. "
    "Do without."
)


class LevelFractions(NamedTuple):
    """Fractions of the groups of one level, and the bounds of their intervals; samples × groups."""

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Deconvolution:
    """The answer for a table of bulk samples.

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
        """Rescale the fractions and their bounds, and give unknown content a column of its own.

        RNA fractions stay those among the known types: what an unknown cell holds is not known.

        Raises
        ------
        InputError
            There is a type of that name, or nothing is told of unknown content.
        """
        if any(_keys.UNKNOWN in t for t in (self.fractions, *(v.fractions for v in self.levels.values()))):
            msg = (
                f"A cell type or group is named '{_keys.UNKNOWN}'. Rename it with --label-map, or do without."
            )
            raise InputError(msg)
        told = self.qc[["unknown", "unknown_lower", "unknown_upper"]]
        if told.isna().any(axis=None):
            raise InputError(NOTHING_TOLD)
        share, lower, upper = (told[name] for name in told)

        def joined(known: LevelFractions) -> LevelFractions:
            scales = ((1 - share, share), (1 - upper, lower), (1 - lower, upper))
            tables = (
                table.mul(left, axis=0).assign(**{_keys.UNKNOWN: unknown})
                for table, (left, unknown) in zip(known, scales, strict=True)
            )
            return LevelFractions(*tables)

        fractions, lower_bounds, upper_bounds = joined(LevelFractions(self.fractions, self.lower, self.upper))
        return replace(
            self,
            fractions=fractions,
            lower=lower_bounds,
            upper=upper_bounds,
            levels={name: joined(level) for name, level in self.levels.items()},
        )

    @classmethod
    def of_blocks(cls, blocks: Sequence[Deconvolution]) -> Deconvolution:
        """Put the answers of blocks of samples together."""
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
