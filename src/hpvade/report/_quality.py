"""The quality section: flags that were raised, and the columns of the quality table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from hpvade.deconvolve import FLAGS

if TYPE_CHECKING:
    from hpvade.results import Results


class _Column(NamedTuple):
    label: str
    meaning: str
    decimals: int = 3


_COLUMNS = {
    "flags": _Column("flags", "possible problems with the sample, explained above"),
    "genes_used": _Column("genes used", "number of model genes found in the bulk table", 0),
    "gene_overlap": _Column("gene overlap", "fraction of model genes found in the bulk table"),
    "unit_detected": _Column("unit detected", "unit of the expression values"),
    "reconstruction_r": _Column(
        "reconstruction r",
        "correlation between the measured expression and its reconstruction from the fractions (maximum: 1)",
    ),
    "residual_sd": _Column(
        "residual SD",
        "typical deviation of a gene from its reconstruction, on a natural log scale (0.7 is a factor of "
        "two, 1.1 a factor of three)",
    ),
    "unknown": _Column(
        "unknown fraction", "estimated fraction of cells that belong to no cell type of the reference"
    ),
    "unknown_lower": _Column("lower bound of unknown", "lower bound of the interval of the unknown fraction"),
    "unknown_upper": _Column("upper bound of unknown", "upper bound of the interval of the unknown fraction"),
    "unknown_genes": _Column(
        "unexplained genes", "genes expressed far more strongly than the fractions explain"
    ),
    "trusted_level": _Column(
        "finest reliable level", "most detailed level of the cell-type hierarchy whose intervals are narrow"
    ),
}


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


def _described(name: str) -> _Column:
    return _COLUMNS.get(name, _Column(name.replace("_", " "), ""))
