"""The quality section: flags that were raised, and the columns of the quality table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from hpvade.deconvolve import FLAGS, QC_COLUMNS, QCColumn

if TYPE_CHECKING:
    from hpvade.results import Results


def flag_list(results: Results) -> list[dict[str, Any]]:
    """Return the flags that were raised: meaning, remedy and number of samples of each."""
    counts = results.qc["flags"].explode().value_counts()
    return [
        {
            "name": name,
            "count": f"{counts[name]:,} of {len(results.qc):,}",
            "meaning": flag.meaning,
            "remedy": flag.remedy,
        }
        for name, flag in FLAGS.items()
        if name in counts
    ]


def column_meanings(results: Results) -> list[dict[str, str]]:
    """Return label and meaning of each column of the quality table."""
    return [
        {"label": column.label, "meaning": column.meaning}
        for column in map(_described, quality_columns(results))
        if column.meaning
    ]


def quality_columns(results: Results) -> list[str]:
    """Return the names of the columns of ``qc.tsv``, flags first."""
    return ["flags", *map(str, results.qc.columns.drop("flags"))]


def column_data(name: str, values: pd.Series) -> dict[str, Any]:
    """Return a column of the quality table for the scripts of the page."""
    column = _described(name)
    data: dict[str, Any] = {"name": name, "label": column.label, "meaning": column.meaning}
    if name == "flags":
        return data | {"kind": "text", "values": []}
    if not pd.api.types.is_numeric_dtype(values):
        return data | {"kind": "text", "values": list(values)}
    numbers = [None if math.isnan(value) else round(float(value), 4) for value in values]
    return data | {"kind": "number", "decimals": column.decimals, "values": numbers}


def _described(name: str) -> QCColumn:
    return QC_COLUMNS.get(name, QCColumn(name.replace("_", " "), ""))
