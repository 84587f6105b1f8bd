"""Warning categories, and the function that emits them."""

from __future__ import annotations

import warnings


class HPVADEWarning(UserWarning):
    """Base of every warning that hpvade emits."""


class DataWarning(HPVADEWarning):
    """The input is usable, but something about it was changed or is doubtful."""


class DegenerateMetricWarning(HPVADEWarning):
    """A metric is not defined for the given values, so NaN was returned."""


def warn(message: str, category: type[HPVADEWarning], *, stacklevel: int = 2) -> None:
    """Emit ``message``; it points to the code that called the caller of this function."""
    warnings.warn(message, category, stacklevel=stacklevel + 1)
