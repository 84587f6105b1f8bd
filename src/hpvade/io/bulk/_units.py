"""Units of bulk expression: detecting them, undoing logarithms, and refusing what is no expression.

Logarithms are told from linear values by their upper end: the most highly expressed gene of a sample is far
above the rest on the linear scale, but not in logarithms. Among samples of RNA-seq and arrays, the ratio of
the largest value to the 99th percentile of the positive ones is 5 to 80 on the linear scale and 1.1 to 1.8 in
logarithms; for a panel of some hundred genes, the ratio to the 90th percentile is 4 to 80 and 1.2 to 1.9.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from hpvade._errors import CountsError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hpvade._types import BulkUnit


LOG_BASES: Final = {"log2": 2.0, "ln": float(np.e), "log10": 10.0}
_BASE_NAMES: Final = {"log2": "2", "ln": "e", "log10": "10"}
_LINEAR_HINT = "--bulk-unit tpm, cpm, fpkm or microarray"
_LOG_HINT = "--bulk-unit log2, ln or log10"

_LARGEST_LOG = 30.0  # 2**30 is more than any gene's expression
_LARGEST_STATED = 40.0  # base 2, beyond which stated logarithms are none
_SMALLEST_LOG2 = 7.0  # of the largest gene, below which base 2 cannot be assumed

_FEW = 50  # genes, below which the values show little
_MANY = 1_000  # positive values, from which the 99th percentile is used
# Ratio of the largest value, below which values are logarithms, and above which they are linear.
_RATIOS_OF_MANY, _RATIOS_OF_FEW = (3.0, 4.5), (2.5, 9.0)

# Of the standard deviation: the mean of a gene or a sample that was centred; and the share of such genes.
_CENTRED_GENE, _CENTRED_SAMPLE, _MOST = 0.3, 0.01, 0.8
_CONSTANT = 1e-9
_SAME_SPREAD = 0.12  # coefficient of variation of the genes' standard deviations, if they were scaled

_TOTALS: Final = {1e6: 0.05, 1e5: 0.01, 1e4: 0.01}  # sum of a sample → tolerance; tables lose a few genes
_WHOLE, _LARGEST_COUNT, _MIN_COUNTS = 0.02, 50.0, 30  # deviation; counts beyond are rounded too coarsely


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a bulk table, whether it was stated or detected, and how its values become linear.

    Attributes
    ----------
    plus_one
        Whether the logarithm is that of the value plus 1.
    """

    name: str
    given_or_detected: str
    plus_one: bool = False
    notes: tuple[str, ...] = ()

    @property
    def base(self) -> float | None:
        """Base of the logarithm; None for linear values."""
        return LOG_BASES.get(self.name)

    @property
    def transform(self) -> str:
        """The conversion to linear values, for a reader."""
        if self.base is None:
            return "none"
        return f"{_BASE_NAMES[self.name]}**x{' - 1' if self.plus_one else ''}"

    def linear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert values of the table to the linear scale, any shape."""
        return values if self.base is None else _power(values, self.base, plus_one=self.plus_one)

    def other_scale(self, samples: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which samples are logarithms in a linear table, or linear in a table of logarithms.

        Only where the unit was detected: what the user or the format states holds for every sample.
        """
        if self.given_or_detected != "detected":
            return np.zeros(len(samples), dtype=bool)
        other = "linear" if self.base is not None else "log"
        told = (samples > 0).sum(1) >= _FEW
        return told & np.array([_scale(sample) == other for sample in samples], dtype=bool)


def find_unit(values: NDArray[np.float64], *, unit: BulkUnit, format_unit: BulkUnit | None) -> Unit:
    """Find the unit of a bulk table.

    Parameters
    ----------
    values
        Samples of the table, finite, shape (n_samples, n_genes).
    unit
        What the user stated; ``"auto"`` uses the unit of the format, or else detects it from the values.
    format_unit
        The unit that the file's format defines, if it does.

    Raises
    ------
    CountsError
        The genes were centred or scaled, a logarithm was stated for other values, or the values do not show
        whether they are logarithms or of which base.
    """
    if sign := describe_scaling(values):
        msg = (
            f"The values are not expression: {sign}. Provide the values before they were scaled or centred: "
            "counts, TPM, intensities or their logarithms."
        )
        raise CountsError(msg)
    if unit != "auto":
        found, how = str(unit), "given"
    elif format_unit is not None:
        found, how = str(format_unit), "format"
    else:
        found, how = detect_unit(values), "detected"
    if found == "unclear":
        msg = (
            "The values do not show whether they are linear or logarithms: they are no whole numbers, the "
            f"largest is {values.max():g}, and few genes are far above the others. Pass {_LINEAR_HINT}, or "
            f"{_LOG_HINT}."
        )
        raise CountsError(msg)
    if found in LOG_BASES or found == "log":
        return _log_unit(values, found, how=how)
    notes: tuple[str, ...] = ()
    if how == "given" and detect_unit(values) == "log":
        notes = (
            f"The unit '{unit}' was given, so the values were used as linear. However, they look like "
            f"logarithms: below {_LARGEST_LOG:g} and not whole numbers. If they are, pass {_LOG_HINT}.",
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
    ``"counts"``, ``"log"``, ``"tpm/cpm"``, ``"linear"`` or, if that is not clear, ``"unclear"``.
    """
    counted = Counter(map(_sample_unit, values))
    # The alphabetically first of several, so that order does not matter.
    return min(counted, key=lambda name: (-counted[name], name))


def describe_other_scale(samples: pd.Index, *, unit: Unit) -> str:
    """Say that some samples are on another scale than the table."""
    names = ", ".join(f"'{name}'" for name in samples[:5]) + (" and others" if len(samples) > 5 else "")
    one, other = ("logarithms", "linear") if unit.base is not None else ("linear", "logarithms")
    return (
        f"The table holds {one}, but the values of {names} look {'like ' if other == 'logarithms' else ''}"
        f"{other}. Bring all samples to one scale. If they are, pass --bulk-unit."
    )


def _sample_unit(sample: NDArray[np.float64]) -> str:
    if (sample == np.rint(sample)).all():
        return "counts"
    if (scale := _scale(sample)) != "linear":
        return scale
    return "tpm/cpm" if abs(sample.sum() / 1e6 - 1) <= _TOTALS[1e6] else "linear"


def _scale(sample: NDArray[np.float64]) -> str:
    """Tell ``"linear"`` values from a ``"log"``; ``"unclear"`` if the upper end of the values is between."""
    if sample.max() > _LARGEST_LOG or (sample == np.rint(sample)).all():
        return "linear"
    positive = sample[sample > 0]
    if sample.min() < 0 or len(positive) < _FEW:
        return "log"
    is_many = len(positive) >= _MANY
    ratio = sample.max() / np.quantile(positive, 0.99 if is_many else 0.9)
    below, above = _RATIOS_OF_MANY if is_many else _RATIOS_OF_FEW
    if ratio < below or _confirmed_bases(sample[None], plus_one=True):
        return "log"
    return "linear" if ratio > above else "unclear"


def describe_scaling(values: NDArray[np.float64]) -> str:
    """Say how samples or genes were centred or scaled; an empty text if they were not."""
    n = len(values)
    varying = values[:, values.std(0) > _CONSTANT] if n > 1 else values
    if varying.shape[1] < _FEW:
        return ""
    of_samples, of_genes = ((varying.mean(axis), varying.std(axis)) for axis in (1, 0))
    mean, sd = of_samples
    if (np.abs(mean) < _CENTRED_SAMPLE * sd).all() and (n > 1 or abs(sd[0] - 1) < _CENTRED_SAMPLE):
        return "the mean of each sample is 0"
    mean, sd = of_genes
    signs = {
        "the mean of most genes is 0": varying.min() < 0
        and (np.abs(mean) < _CENTRED_GENE * sd).mean() > _MOST,
        "all genes vary equally between the samples": sd.std() < _SAME_SPREAD * sd.mean(),
        "all values are between 0 and 1, and many are high": varying.min() >= 0
        and varying.max() <= 1
        and _scale(varying.ravel()) == "log",
    }
    return next((sign for sign, is_seen in signs.items() if n > 1 and is_seen), "")


def _log_unit(values: NDArray[np.float64], found: str, *, how: str) -> Unit:
    """Find the base of logarithms, where it was not stated, and how to undo them."""
    largest = float(np.median(values.max(axis=1)))
    # log(x + 1) starts at about 0, log(x) well above (arrays) or below it (TPM + ε).
    plus_one = bool((np.abs(values.min(axis=1)) < 1).mean() > 0.5)
    confirmed = _confirmed_bases(values, plus_one=plus_one)
    if found != "log":
        if largest * np.log2(LOG_BASES[found]) > _LARGEST_STATED:
            msg = (
                f"The unit '{found}' was given, but the median of the sample maxima is {largest:g}: the "
                "values are not logarithms. Pass --bulk-unit auto or the correct unit."
            )
            raise CountsError(msg)
        notes = [
            f"The unit '{found}' was given and used. However, {why} if they are taken as {name}."
            for name, why in confirmed.items()
            if found not in confirmed
        ]
        return Unit(found, how, plus_one, tuple(notes))
    if len(confirmed) == 1:
        [(name, why)] = confirmed.items()
        evidence = f"The base is {_BASE_NAMES[name]}, because {why}."
    elif largest < _SMALLEST_LOG2:
        msg = (
            f"The values appear to be logarithms (the median of the sample maxima is {largest:g}), but do "
            f"not show the base. Pass {_LOG_HINT}; if they are linear, {_LINEAR_HINT}."
        )
        raise CountsError(msg)
    else:
        name, evidence = "log2", "Base 2 was assumed, because the values do not show the base."
    unit = Unit(name, how, plus_one)
    note = (
        "The values appear to be log-transformed (not whole numbers; the median of the sample maxima is "
        f"{largest:g}) and were converted with {unit.transform}. {evidence} If this is wrong, pass "
        f"{_LOG_HINT}; if they are linear, {_LINEAR_HINT}."
    )
    return replace(unit, notes=(note,))


def _confirmed_bases(values: NDArray[np.float64], *, plus_one: bool) -> dict[str, str]:
    """Find the bases for which the linear values are whole, or each sample has a usual sum; and say why."""
    confirmed = {}
    for name, base in LOG_BASES.items():
        if values.max() * np.log2(base) > _LARGEST_STATED:
            continue
        linear = _power(values, base, plus_one=plus_one)
        small = linear[(linear > 0.5) & (linear < _LARGEST_COUNT)]
        is_whole = np.abs(small - np.rint(small)) < _WHOLE
        if len(small) >= _MIN_COUNTS and is_whole.mean() > 0.95:
            confirmed[name] = "the linear values are whole numbers"
        sums = linear.sum(1)
        for total, tolerance in _TOTALS.items():
            if abs(np.median(sums) / total - 1) <= tolerance and np.ptp(sums) <= 2 * tolerance * total:
                confirmed[name] = f"the linear values of each sample sum to {total:,.0f}"
    return confirmed


def _power(values: NDArray[np.float64], base: float, *, plus_one: bool) -> NDArray[np.float64]:
    linear: NDArray[np.float64] = np.power(base, values)
    return np.maximum(linear - 1, 0) if plus_one else linear
