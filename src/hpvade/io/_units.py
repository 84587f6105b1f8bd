"""Units of bulk expression: detecting them, and undoing a logarithm."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpvade._errors import CountsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hpvade._types import BulkUnit


_LARGEST_LOG = 30.0  # 2**30 is more than any gene's expression
_LARGEST_STATED_LOG = 64.0
_PER_MILLION = 1e6
_TOLERANCE = 0.05  # tables lose a few per cent of their sum when genes are removed or renamed

_MINUS_ONE = "2**x - 1"
_PLAIN = "2**x"


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a bulk table, whether it was stated or detected, and how its values become linear."""

    name: str
    given_or_detected: str
    transform: str = "none"
    notes: tuple[str, ...] = ()

    def linear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert values of the table to the linear scale, any shape."""
        if self.transform == "none":
            return values
        linear = np.exp2(values)
        return np.maximum(linear - 1, 0) if self.transform == _MINUS_ONE else linear


def find_unit(values: NDArray[np.float64], *, unit: BulkUnit, format_unit: BulkUnit | None) -> Unit:
    """Find the unit of a bulk table.

    Parameters
    ----------
    values
        Samples of the table, shape (n_samples, n_genes).
    unit
        What the user stated; ``"auto"`` uses the unit of the format, or else detects it from the values.
    format_unit
        The unit that the file's format defines, if it does.

    Raises
    ------
    CountsError
        If ``unit="log2"`` was stated for values that are not logarithms.
    """
    detected = detect_unit(values)
    if unit != "auto":
        found, how = str(unit), "given"
    elif format_unit is not None:
        found, how = str(format_unit), "format"
    else:
        found, how = detected, "detected"
    if found == "log2":
        return _log_unit(values, how=how)
    notes: tuple[str, ...] = ()
    if how == "given" and detected == "log2":
        notes = (
            f"The unit '{unit}' was given, so the values were used as linear. However, they look like "
            f"logarithms: below {_LARGEST_LOG:g} and not whole numbers. If they are, pass --bulk-unit log2.",
        )
    return Unit(found, how, notes=notes)


def detect_unit(values: NDArray[np.float64]) -> str:
    """Detect the unit of a table: the commonest among its samples, so that a rescaled sample does not matter.

    Parameters
    ----------
    values
        Finite expression values, shape (n_samples, n_genes), unit unknown.

    Returns
    -------
    ``"counts"``, ``"log2"``, ``"tpm/cpm"`` or ``"linear"``.
    """
    return _commonest(map(_sample_unit, values))


def _sample_unit(sample: NDArray[np.float64]) -> str:
    if (sample == np.rint(sample)).all():
        return "counts"
    if sample.max() <= _LARGEST_LOG:
        return "log2"
    if abs(sample.sum() / _PER_MILLION - 1) <= _TOLERANCE:
        return "tpm/cpm"
    return "linear"


def _sample_inverse(sample: NDArray[np.float64]) -> str:
    """Find the inverse: log(x + 1) starts at about 0, log(x) well above (arrays) or below it (TPM + ε)."""
    return _MINUS_ONE if abs(sample.min()) < 1 else _PLAIN


def _log_unit(values: NDArray[np.float64], *, how: str) -> Unit:
    largest = float(np.median(values.max(axis=1)))
    if largest > _LARGEST_STATED_LOG:
        msg = (
            f"The unit 'log2' was given, but the median of the sample maxima is {largest:g}: the values are "
            "not logarithms. Pass --bulk-unit auto or the correct unit."
        )
        raise CountsError(msg)
    inverse = _commonest(map(_sample_inverse, values))
    notes: tuple[str, ...] = ()
    if how == "detected":
        notes = (
            "The values appear to be log-transformed (not whole numbers; the median of the sample maxima is "
            f"{largest:g}) and were converted with {inverse}. Base 2 was assumed, because the values do not "
            "show the base. If they are linear, pass --bulk-unit tpm, cpm, fpkm or microarray.",
        )
    return Unit("log2", how, inverse, notes)


def _commonest(names: Iterable[str]) -> str:
    """Return the commonest name; the alphabetically first if several are, so that order does not matter."""
    counted = Counter(names)
    return min(counted, key=lambda name: (-counted[name], name))
