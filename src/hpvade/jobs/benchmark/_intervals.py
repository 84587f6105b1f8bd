"""Intervals and unknown content of a benchmark's estimates, and their coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from hpvade._errors import FileFormatError
from hpvade.datasets import scored_columns
from hpvade.deconvolve import sum_types
from hpvade.jobs.benchmark._columns import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hpvade.datasets import BulkEntry
    from hpvade.deconvolve import Calibration, Deconvolution

_COVERAGE = 0.9
_LARGEST_SUM = 1.02  # of measured fractions, with room for rounding
_COLUMNS = ["sample", "scope", "fraction", "lower", "upper"]


def scored_intervals(
    answer: Deconvolution,
    scored: Mapping[str, Sequence[str]],
    *,
    calibration: Calibration,
    estimand: Literal["cells", "rna"] = "cells",
) -> pd.DataFrame:
    """Collect the 90% intervals of scored types, and of unknown content, in one table.

    RNA fractions have no intervals but that of unknown content, which is shifted by as much as the share of
    RNA differs from that of cells.

    Returns
    -------
    ``sample``, ``scope`` (a scored type, or ``unknown``), ``fraction``, ``lower``, ``upper``. Unknown
    content that cannot be estimated has no rows.
    """
    unknown = answer.qc[["unknown", "unknown_lower", "unknown_upper"]]
    has_unknown = answer.fractions.shape[1] > answer.covariance.shape[1]
    sums = sum_types(
        answer.fractions,
        scored,
        covariance=answer.covariance,
        calibration=calibration,
        coverage=_COVERAGE,
        unknown=unknown if has_unknown else None,
    )
    of = {name: [table[name] for table in sums] for name in scored} if estimand == "cells" else {}
    if estimand == "rna" and has_unknown:
        shift = answer.rna_fractions[UNKNOWN] - unknown["unknown"]
        unknown = unknown.add(shift, axis=0).clip(0, 1)
    of[UNKNOWN] = [unknown[name] for name in unknown]
    parts = [
        pd.DataFrame(dict(zip(_COLUMNS[2:], columns, strict=True))).assign(scope=scope)
        for scope, columns in of.items()
    ]
    return pd.concat(parts).dropna().rename_axis("sample").reset_index()[_COLUMNS]


def read_intervals(path: Path) -> pd.DataFrame:
    """Read such a table.

    Raises
    ------
    FileFormatError
        The file is not such a table, lists a sample and scope twice, or has lower bounds above upper bounds.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype={"sample": str, "scope": str}, keep_default_na=False)
        table = table[_COLUMNS].astype(dict.fromkeys(_COLUMNS[2:], float))
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path} cannot be read ({error}). Remove it; it will be made again."
        raise FileFormatError(msg) from error
    if table.duplicated(["sample", "scope"]).any() or not (table["lower"] <= table["upper"]).all():
        msg = f"{path} is not a table of intervals. Remove it; it will be made again."
        raise FileFormatError(msg)
    return table


def true_scopes(truth: pd.DataFrame, entry: BulkEntry, coarse: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Sum measured fractions to scored types, and those of cells that the reference lacks to ``unknown``.

    These are the columns that the manifest names and those of types that the reference lacks, or without
    names all that are not of a known type. Without names, there is no ``unknown`` if the columns of ``truth``
    sum to more than 1, because they overlap.
    """
    scored = scored_columns(entry, coarse)["truth"]
    sums = {name: truth[columns].sum(axis=1) for name, columns in scored.items()}
    known = {
        column
        for name, columns in entry.truth_types.items()
        if not coarse.keys().isdisjoint(entry.merge.get(name, [name]))
        for column in columns
    }
    if entry.unknown:
        lacked = {c for columns in entry.truth_types.values() for c in columns} - known
        sums[UNKNOWN] = truth[sorted({*entry.unknown, *lacked})].sum(axis=1)
    elif (truth.sum(axis=1) < _LARGEST_SUM).all():
        sums[UNKNOWN] = truth.drop(columns=list(known)).sum(axis=1)
    return pd.DataFrame(sums)


def coverage_and_width(intervals: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Check which intervals contain the truth, and how wide they are.

    Parameters
    ----------
    intervals
        As `scored_intervals` returns it.
    truth
        Samples × scopes; samples that it lacks are left out.

    Returns
    -------
    ``scope``, ``covered`` and ``width``, one row for each sample and scope.
    """
    known = truth.rename_axis("sample").reset_index().melt("sample", var_name="scope", value_name="truth")
    scored = intervals.merge(known, on=["sample", "scope"])
    covered = scored["truth"].between(scored["lower"], scored["upper"])
    return scored[["scope"]].assign(covered=covered, width=scored["upper"] - scored["lower"])
