"""The results of a benchmark and their files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from hpvade.io import output_file
from hpvade.jobs.benchmark._columns import COSTS, INTERVALS
from hpvade.jobs.benchmark._markdown import markdown
from hpvade.pl import benchmark_summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The tidy table, the mean of each method over all pairs, and what was skipped."""

    table: pd.DataFrame
    summary: pd.DataFrame
    notes: Sequence[str]

    def summary_text(self) -> str:
        """Return the summary as text; undefined metrics are marked, missing values are blank."""
        shown = self.summary.astype(object)
        for name in self.summary:
            style = "{:.0f}" if name in ("pairs", *COSTS) else "{:.3f}"
            absent = "" if name in (*INTERVALS, *COSTS) else "undefined"
            shown[name] = [absent if pd.isna(v) else style.format(v) for v in self.summary[name]]
        return shown.to_string()

    def to_records(self) -> list[dict[str, Any]]:
        """Return the table as JSON-able rows; undefined values are None."""
        return _records(self.table)


def write_results(result: Benchmark, output: Path, *, heading: str) -> None:
    """Write ``results.tsv``, ``.json``, ``.md``, ``.png`` and ``.svg``, each whole or not at all."""
    with output_file(output / "results.tsv", force=True) as partial:
        result.table.to_csv(partial, sep="\t", index=False, float_format="%.6g")
    content = {"table": result.to_records(), "summary": _records(result.summary.reset_index())}
    with output_file(output / "results.json", force=True) as partial:
        partial.write_text(json.dumps({**content, "notes": list(result.notes)}, indent=1) + "\n")
    with output_file(output / "results.md", force=True) as partial:
        partial.write_text(markdown(result.table, result.summary, heading=heading, notes=result.notes))
    figure = benchmark_summary(result.table)[0, 0].figure
    for ending in ("png", "svg"):
        with output_file(output / f"results.{ending}", force=True) as partial:
            figure.savefig(partial, dpi=150)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[return-value]
