"""Warning categories, and the one function that emits them."""

from __future__ import annotations

import warnings


class HPVADEWarning(UserWarning):
    """Base of every warning that hpvade emits."""


class DataWarning(HPVADEWarning):
    """The input was usable, but something about it was changed or is doubtful."""


class DegenerateMetricWarning(HPVADEWarning):
    """A metric is undefined for the given values and is returned as NaN."""


def warn(message: str, category: type[HPVADEWarning], *, stacklevel: int = 2) -> None:
    """Emit ``message`` so that the caller's caller is blamed."""
    warnings.warn(message, category, stacklevel=stacklevel + 1)
