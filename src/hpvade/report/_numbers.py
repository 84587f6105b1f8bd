"""How the page writes numbers: counts with commas, shares in percent, three decimals; and lists of names."""

from __future__ import annotations

import math

NOT_AVAILABLE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_SMALLEST = 0.001  # the last of three decimals


def percent(share: float, *, decimals: int = 0) -> str:
    """Return a share as a percentage."""
    return f"{100 * share:.{decimals}f}%"


def percentage_points(share: float) -> str:
    """Return a difference of shares in percentage points, with a decimal if it is below 10."""
    return f"{100 * share:.{1 if share < 0.0995 else 0}f} percentage points"


def count(n: int, noun: str) -> str:
    """Return a count with its noun, which takes an s in the plural."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listed(names: list[str]) -> str:
    """Return names separated by commas, with "and" before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def table_cell(value: object) -> str:
    """Return a cell of a table: whole numbers with commas, other numbers with three decimals.

    Values too small for three decimals are given as a bound, missing ones as a dash.
    """
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return NOT_AVAILABLE
    if 0 < abs(value) < _SMALLEST:
        return "<0.001" if value > 0 else f">{_MINUS}0.001"
    return f"{value:,.3f}".replace("-", _MINUS)
