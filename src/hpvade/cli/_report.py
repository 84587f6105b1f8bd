"""``hpvade report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade report results --groups groups.tsv"


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT_DIR", help="Output folder of hpvade run, deconvolve or demo.")
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of the model that was used, if it has been moved."),
    ] = None,
    groups: o.Groups = None,
    config: o.Config = None,
    as_json: o.Json = False,
    seed: o.UnusedSeed = None,
    threads: o.UnusedThreads = None,
    quiet: o.Quiet = False,
) -> None:
    """Recreate the report, optionally with groups."""
    terminal = Terminal(quiet=quiet)
    from hpvade.jobs import report_folder

    page = report_folder(folder, model=model, groups=groups)
    terminal.result(f"Report: {page}", {"report": str(page)}, as_json=as_json)
