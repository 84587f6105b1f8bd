"""``hpvade evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade evaluate results/fractions.tsv truth.tsv -o metrics.json"


def evaluate(
    fractions: Annotated[Path, typer.Argument(help="Estimated fractions, TSV.")],
    truth: Annotated[Path, typer.Argument(help="Measured fractions, TSV.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file for the metrics.")] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", help='JSON of columns to sum: {"coarse type": ["column", …]}.')
    ] = None,
    config: o.Config = None,
    as_json: o.Json = False,
    seed: o.Seed = 0,
    threads: o.UnusedThreads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Compare estimated fractions with measured ones."""
    terminal = Terminal(quiet=quiet)
    from hpvade.jobs import evaluate_files

    result = evaluate_files(fractions, truth, output, mapping=mapping, seed=seed, force=force)
    columns = ["r", "ccc", "rmse", "mae", "bias"]
    shown = result.per_type[columns]
    pooled = "  ".join(f"{name} {result.pooled[name]:.3f}" for name in columns)
    brief = "  ".join(f"{name} {result.summary[name]:.3f}" for name in ("r_type", "ccc_type"))
    text = f"{shown.round(3).to_string()}\n\npooled over all pairs: {pooled}\nmean over types: {brief}"
    terminal.result(text, result.to_dict(), as_json=as_json)
