"""``hpvade validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal, fail

EXAMPLE = "hpvade validate reference.h5ad --bulk bulk.tsv.gz"


def validate(
    context: typer.Context,
    reference: Annotated[Path, typer.Argument(help=o.REFERENCE_HELP)],
    bulk: Annotated[Path | None, typer.Option("--bulk", help=o.BULK_HELP)] = None,
    config: o.Config = None,
    labels_key: o.LabelsKey = "cell_type",
    donor_key: o.DonorKey = None,
    layer: o.Layer = None,
    labels: o.Labels = None,
    label_map: o.LabelMap = None,
    min_cells: o.MinCells = None,
    max_cells: o.MaxCells = 20_000,
    dask: o.Dask = None,
    bulk_unit: o.BulkUnit = "auto",
    ignore_case: o.IgnoreCase = False,
    as_json: o.Json = False,
    quiet: o.Quiet = False,
    threads: o.UnusedThreads = None,
    seed: o.UnusedSeed = None,
) -> None:
    """Describe the contents of the files and list all problems at once."""
    given = locals()
    terminal = Terminal(quiet=quiet)
    from hpvade.jobs import BulkOptions, ReferenceOptions, validate_files

    report = validate_files(
        reference,
        bulk,
        options=o.record(ReferenceOptions, given),
        bulk_options=o.record(BulkOptions, given),
        changes=o.setting_changes(context, given),
    )
    terminal.result(report.to_text(), report.to_dict(), as_json=as_json)
    if not report.ok and quiet and not as_json:
        fail(" ".join(problem.message for problem in report.errors), 2)
    if not report.ok:
        raise typer.Exit(2)
