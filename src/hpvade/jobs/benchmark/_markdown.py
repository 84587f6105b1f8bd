"""The tables of a benchmark in Markdown: ``results.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hpvade.jobs.benchmark._columns import COSTS, INTERVALS, METRICS, PAIR, POOLED, UNKNOWN
from hpvade.jobs.benchmark._score import by_type, over_seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNDEFINED = "undefined"
_UNKNOWN_METRICS = ("r", "bias", *INTERVALS)
_HOW_TO_READ = """\
r: Pearson correlation; CCC: Lin's concordance; RMSE and MAE are in fractions of cells. Values per cell type
are computed over samples; r_type and ccc_type are their means over types. Pooled values are computed over
all pairs of sample and type and are higher, because types differ in their mean. With several seeds: mean ±
standard deviation. In parentheses: 95% bootstrap interval over samples, the widest of all seeds. "undefined":
the estimate or the truth is constant; means skip such values, so means over different numbers of pairs
cannot be compared. Coverage: the share of 90% intervals that contain the measured fraction; width: their
median width. Unknown: the share of cells of no type of the reference, compared with the measured fractions
of all cells that no coarse type of the reference covers. Run time is measured from data in memory to
fractions; memory is the peak of the whole process. All values are in `results.tsv`."""


def markdown(table: pd.DataFrame, summary: pd.DataFrame, *, heading: str, notes: Sequence[str]) -> str:
    """Describe a benchmark in words and tables.

    Parameters
    ----------
    table
        As `score` returns it, for all estimates.
    summary
        As `summarise` returns it.
    heading
        One line on what was run.
    notes
        What was skipped, and why.
    """
    pairs = over_seeds(table)
    parts = ["# Benchmark", heading, _HOW_TO_READ]
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    parts.append("## By cell type, mean over all pairs of reference and data set")
    for metric, title in (("r", "Pearson r"), ("ccc", "CCC")):
        means = by_type(table, metric)
        rows = ([scope, *map(_number, row)] for scope, row in zip(means.index, means.to_numpy(), strict=True))
        parts += [f"{title}:", _table(["cell type", *means.columns], rows)]
    parts += ["## Mean over all pairs", _summary_table(summary), "## Each pair by cell type"]
    for (reference, dataset), pair in pairs.groupby(["reference", "dataset"], sort=False):
        parts.append(f"### {reference}, {dataset} ({pair['n_samples'].iloc[0]:.0f} samples)")
        for metric, title in (("r", "Pearson r"), ("ccc", "CCC")):
            parts += [f"{title}:", _pair_table(pair[~pair["scope"].isin([POOLED, UNKNOWN])], metric)]
    parts += ["## Each pair pooled", _pooled_table(pairs[pairs["scope"] == POOLED])]
    if pairs[INTERVALS].notna().any(axis=None):
        parts += ["## Intervals and unknown content", _intervals_table(pairs)]
    return "\n\n".join(parts) + "\n"


def _summary_table(summary: pd.DataFrame) -> str:
    metrics = [name for name in summary if name not in ("pairs", *INTERVALS, *COSTS)]
    rows = [
        [
            row["method"],
            str(row["pairs"]),
            *(_number(row[m]) for m in metrics),
            *(_blank_if_missing(row[name]) for name in INTERVALS),
            *(_amount(row[c]) for c in COSTS),
        ]
        for row in summary.reset_index().to_dict("records")
    ]
    return _table(["method", "pairs", *map(str, metrics), *INTERVALS, "seconds", "peak MB"], rows)


def _pair_table(pair: pd.DataFrame, metric: str) -> str:
    """Cell types × methods of one pair: mean ± sd (bounds)."""
    methods = list(dict.fromkeys(pair["method"]))
    cells = pair.set_index(["scope", "method"])
    rows = [
        [scope, *(_bounded(cells.loc[(scope, method)], metric) for method in methods)]
        for scope in dict.fromkeys(pair["scope"])
    ]
    return _table(["cell type", *methods], rows)


def _pooled_table(pooled: pd.DataFrame) -> str:
    rows = [
        [row["reference"], row["dataset"], row["method"], str(row["n_seeds"]),
         *(_bounded(row, metric) for metric in METRICS), *(_amount(row[cost]) for cost in COSTS)]
        for _, row in pooled.iterrows()
    ]  # fmt: skip
    return _table(
        ["reference", "set", "method", "seeds", "r", "CCC", "RMSE", "MAE", "bias", "seconds", "peak MB"], rows
    )


def _intervals_table(pairs: pd.DataFrame) -> str:
    """Coverage of intervals, and unknown content, for each pair and method that has them."""
    scored = pairs[pairs[INTERVALS].notna().all(axis=1)].set_index([*PAIR, "method", "scope"])
    rows = []
    for key in (index[:3] for index in scored.index if index[3] == POOLED):
        row = [*key, *(_number(scored.loc[(*key, POOLED), name]) for name in INTERVALS)]
        unknown = (*key, UNKNOWN)
        row += (
            [_number(scored.loc[unknown, name]) for name in _UNKNOWN_METRICS]
            if unknown in scored.index
            else [""] * 4
        )
        rows.append(row)
    columns = ["reference", "set", "method", *INTERVALS, *(f"unknown: {name}" for name in _UNKNOWN_METRICS)]
    return _table(columns, rows)


def _bounded(row: pd.Series, metric: str) -> str:
    if pd.isna(row[metric]):
        return _UNDEFINED
    text = _number(row[metric])
    if not pd.isna(row[f"{metric}_sd"]):
        text += f" ± {_number(row[f'{metric}_sd'])}"
    lower, upper = row[f"{metric}_lower"], row[f"{metric}_upper"]
    return text if pd.isna(lower) else f"{text} ({_number(lower)} to {_number(upper)})"


def _number(value: float) -> str:
    return _UNDEFINED if pd.isna(value) else f"{value:.3f}"


def _blank_if_missing(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


def _amount(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(columns), ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
