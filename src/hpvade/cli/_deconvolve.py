"""``hpvade deconvolve``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

if TYPE_CHECKING:
    from hpvade.jobs import Shard


EXAMPLE = "hpvade deconvolve model bulk.tsv.gz -o results"


def deconvolve(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="Folder written by hpvade train or run.")],
    bulk: Annotated[Path, typer.Argument(help=o.BULK_HELP)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    config: o.Config = None,
    bulk_unit: o.BulkUnit = "auto",
    ignore_case: o.IgnoreCase = False,
    coverage: o.Coverage = 0.9,
    with_unknown: o.WithUnknown = True,
    world: o.World = None,
    purity: o.Purity = None,
    expression: o.Expression = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Process part I of N of the samples, e.g. on a cluster."),
    ] = None,
    groups: o.Groups = None,
    report: o.Report = True,
    as_json: o.Json = False,
    seed: o.UnusedSeed = None,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Deconvolve bulk samples with a trained model."""
    given = locals()
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.jobs import BulkOptions, OutputOptions, deconvolve_files

    with terminal.tasks() as on_block:
        summary = deconvolve_files(
            model,
            bulk,
            output,
            bulk_options=o.record(BulkOptions, given),
            changes=o.setting_changes(context, given),
            options=o.record(OutputOptions, given),
            shard=None if shard is None else _shard(shard),
            force=force,
            on_stage=terminal.stage,
            on_block=on_block,
        )
    terminal.fractions(summary, output, as_json=as_json)


def _shard(text: str) -> Shard:
    from hpvade.jobs import Shard

    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        msg = f"'{text}' is not a valid shard. Pass, for example, 3/10 for the third of ten."
        raise typer.BadParameter(msg, param_hint="--shard")
    return Shard(int(found[1]), int(found[2]))
