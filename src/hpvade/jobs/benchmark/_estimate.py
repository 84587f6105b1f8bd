"""The result of one method for one set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Estimate:
    """The result of one method for one set.

    Attributes
    ----------
    fractions
        Cell fractions, samples × cell types.
    facts
        Seconds, peak memory, notes.
    intervals
        As `scored_intervals` makes them; None where the method has none.
    """

    fractions: pd.DataFrame
    facts: dict[str, Any]
    intervals: pd.DataFrame | None = None
