"""``hpvade run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade._errors import InputError
from hpvade._formats import BULK_FORMATS, endings
from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade run reference.h5ad bulk.tsv.gz -o results"
_TABLES = endings(tuple(known for known in BULK_FORMATS if known.is_text))


def run(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="REFERENCE... BULK", help=f"References: {o.REFERENCE_HELP} {o.BULK_HELP}"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    config: o.Config = None,
    preset: o.Preset = "default",
    labels_key: o.LabelsKey = "cell_type",
    donor_key: o.DonorKey = None,
    layer: o.Layer = None,
    labels: o.Labels = None,
    label_map: o.LabelMap = None,
    rna_content: o.RnaContent = None,
    bulk_unit: o.BulkUnit = "auto",
    ignore_case: o.IgnoreCase = False,
    coverage: o.Coverage = 0.9,
    with_unknown: o.WithUnknown = True,
    world: o.World = None,
    purity: o.Purity = None,
    n_genes: o.NGenes = None,
    members: o.Members = None,
    max_epochs: o.MaxEpochs = None,
    min_cells: o.MinCells = None,
    max_cells: o.MaxCells = 20_000,
    dask: o.Dask = None,
    accelerator: o.Accelerator = "auto",
    devices: o.Devices = "auto",
    strategy: o.Strategy = "auto",
    tensorboard: o.TensorBoard = None,
    expression: o.Expression = None,
    groups: o.Groups = None,
    report: o.Report = True,
    as_json: o.Json = False,
    seed: o.Seed = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Validate, train, deconvolve and report in a single command."""
    given = locals()
    if len(inputs) < 2:
        msg = "Pass at least one reference, followed by the bulk table."
        raise typer.BadParameter(msg)
    if swapped := [path for path in inputs[:-1] if path.name.lower().endswith(_TABLES)]:
        msg = f"{swapped[0]} is a table, not a single-cell reference. The bulk table comes last."
        raise InputError(msg)
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.jobs import BulkOptions, OutputOptions, ReferenceOptions, TrainOptions, run_files

    changes = o.setting_changes(context, given)
    with terminal.training() as on_epoch:
        summary = run_files(
            inputs[:-1],
            inputs[-1],
            output,
            bulk_options=o.record(BulkOptions, given),
            reference_options=o.record(ReferenceOptions, given),
            train=o.record(TrainOptions, given, changes=changes, on_epoch=on_epoch),
            options=o.record(OutputOptions, given),
            seed=seed,
            force=force,
            on_stage=terminal.stage,
        )
    terminal.fractions(summary, output, as_json=as_json)
