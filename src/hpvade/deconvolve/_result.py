"""The result of deconvolving bulk samples."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def refuse_unknown(names: Iterable[object]) -> None:
    """Refuse a cell type or group with the name of the column of unknown content, with an `InputError`."""
    if _keys.UNKNOWN in set(names):
        msg = (
            f"A cell type or group is named '{_keys.UNKNOWN}', like the column of unknown content. Rename it "
            "with --label-map, or use --no-unknown."
        )
        raise InputError(msg)


class LevelFractions(NamedTuple):
    """Fractions of the groups of one level, and the bounds of their intervals; samples × groups."""

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame

    def with_unknown(self, unknown: pd.DataFrame) -> LevelFractions:
        """Rescale fractions of known types, and add a column.

        ``unknown`` has the share of unknown cells of each sample, and its bounds. An interval then extends
        from its lower bound times 1 minus the upper bound of the share to the opposite.
        """
        share, lower, upper = (unknown[name] for name in unknown)
        scales = ((1 - share, share), (1 - upper, lower), (1 - lower, upper))
        return LevelFractions(
            *(
                table.mul(scale, axis=0).assign(**{_keys.UNKNOWN: added})
                for table, (scale, added) in zip(self, scales, strict=True)
            )
        )


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
    looked_for
        What the samples of the table have evidence for together, and what was therefore looked for in each,
        states of known types included; empty for fewer than six samples.
    noise_floor
        CPM below which the fit treated differences as noise; NaN if it is not known.
    unknown_profiles
        Expression of what unknown cells resemble, as `hpvade.model.Deconvolver.unknown_profiles` returns it;
        empty for a block of samples.
    """

    fractions: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame
    rna_fractions: pd.DataFrame
    covariance: NDArray[np.float64]
    qc: pd.DataFrame
    levels: dict[str, LevelFractions]
    looked_for: tuple[str, ...] = ()
    noise_floor: float = np.nan
    unknown_profiles: pd.DataFrame = field(default_factory=pd.DataFrame)

    def with_unknown(self, rna_share: NDArray[np.float64]) -> Deconvolution:
        """Add a column of unknown content, and rescale the fractions and their bounds.

        ``rna_share`` is the share of the unknown cells in the RNA, shape (n_samples,).

        Raises
        ------
        InputError
            A type has the name of the column.
        """
        for names in (self.fractions, *(level.fractions for level in self.levels.values())):
            refuse_unknown(names)
        unknown = self.qc[["unknown", "unknown_lower", "unknown_upper"]]
        types = LevelFractions(self.fractions, self.lower, self.upper).with_unknown(unknown)
        return replace(
            self,
            fractions=types.fractions,
            lower=types.lower,
            upper=types.upper,
            rna_fractions=self.rna_fractions.mul(1 - rna_share, axis=0).assign(**{_keys.UNKNOWN: rna_share}),
            levels={name: level.with_unknown(unknown) for name, level in self.levels.items()},
        )

    @classmethod
    def concatenate(cls, blocks: Sequence[Deconvolution]) -> Deconvolution:
        """Concatenate the results of blocks of samples of one table."""
        levels = {
            name: LevelFractions(*map(pd.concat, zip(*(block.levels[name] for block in blocks), strict=True)))
            for name in blocks[0].levels
        }
        tables = {
            entry.name: pd.concat([getattr(block, entry.name) for block in blocks])
            for entry in fields(cls)
            if entry.name not in ("levels", "covariance", "looked_for", "noise_floor", "unknown_profiles")
        }
        covariance = np.concatenate([block.covariance for block in blocks])
        of_table = {name: getattr(blocks[0], name) for name in ("looked_for", "noise_floor")}
        return cls(**tables, covariance=covariance, levels=levels, **of_table)
