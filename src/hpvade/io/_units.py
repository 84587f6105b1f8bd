"""Units of bulk expression: recognising them, and undoing a logarithm."""

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
_LARGEST_GIVEN_LOG = 64.0
_PER_MILLION = 1e6
_TOLERANCE = 0.05  # tables lose a few per cent of their sum when genes are dropped or renamed

_MINUS_ONE = "2**x - 1"
_PLAIN = "2**x"


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a bulk table, how it became known, and how its values become linear."""

    name: str
    given_or_detected: str
    transform: str = "none"
    notes: tuple[str, ...] = ()

    def linear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring values of the table to the linear scale, any shape."""
        if self.transform == "none":
            return values
        linear = np.exp2(values)
        return np.maximum(linear - 1, 0) if self.transform == _MINUS_ONE else linear


def unit_of(values: NDArray[np.float64], *, unit: BulkUnit, by_format: BulkUnit | None) -> Unit:
    """Tell the unit of a bulk table.

    Parameters
    ----------
    values
        Samples of the table, shape (n_samples, n_genes).
    unit
        What the user said; ``"auto"`` takes the format's unit or else looks at the values.
    by_format
        The unit that the file's format fixes, if it does.

    Raises
    ------
    CountsError
        If ``unit="log2"`` was given for values that are no logarithms.
    """
    detected = detect_unit(values)
    if unit != "auto":
        found, how = str(unit), "given"
    elif by_format is not None:
        found, how = str(by_format), "format"
    else:
        found, how = detected, "detected"
    if found == "log2":
        return _logarithm(values, how=how)
    notes: tuple[str, ...] = ()
    if how == "given" and detected == "log2":
        notes = (
            f"The unit '{unit}' was given, so the values are taken as linear; but they are below "
            f"{_LARGEST_LOG:g} and no whole numbers, as logarithms are. If they are, pass --bulk-unit log2.",
        )
    return Unit(found, how, notes=notes)


def detect_unit(values: NDArray[np.float64]) -> str:
    """Recognise the unit of a table; each sample has one vote, so that a rescaled sample does not matter.

    Parameters
    ----------
    values
        Finite expression values, shape (n_samples, n_genes), unit unknown.

    Returns
    -------
    ``"counts"``, ``"log2"``, ``"tpm/cpm"`` or ``"linear"``.
    """
    return _majority(map(_unit_of_sample, values))


def _unit_of_sample(sample: NDArray[np.float64]) -> str:
    if (sample == np.rint(sample)).all():
        return "counts"
    if sample.max() <= _LARGEST_LOG:
        return "log2"
    if abs(sample.sum() / _PER_MILLION - 1) <= _TOLERANCE:
        return "tpm/cpm"
    return "linear"


def _inverse_of_sample(sample: NDArray[np.float64]) -> str:
    """Logarithms of x + 1 reach down to about 0; those of x begin well above (arrays) or below (TPM + ε)."""
    return _MINUS_ONE if abs(sample.min()) < 1 else _PLAIN


def _logarithm(values: NDArray[np.float64], *, how: str) -> Unit:
    largest = float(np.median(values.max(axis=1)))
    if largest > _LARGEST_GIVEN_LOG:
        msg = (
            f"The unit 'log2' was given, but the median sample reaches {largest:g}: these are no logarithms. "
            "Pass --bulk-unit auto, or the unit they have."
        )
        raise CountsError(msg)
    inverse = _majority(map(_inverse_of_sample, values))
    notes: tuple[str, ...] = ()
    if how == "detected":
        notes = (
            f"The values look logged (the median sample reaches {largest:g}, no whole numbers) and were "
            f"undone by {inverse}; a natural logarithm cannot be told from base 2. If they are linear, say "
            "so with --bulk-unit tpm, cpm, fpkm or microarray.",
        )
    return Unit("log2", how, inverse, notes)


def _majority(votes: Iterable[str]) -> str:
    """Return the commonest vote; among equals the alphabetically first, so that order does not matter."""
    counted = Counter(votes)
    return min(counted, key=lambda vote: (-counted[vote], vote))
