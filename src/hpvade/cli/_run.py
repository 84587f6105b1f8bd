"""``hpvade run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade._errors import InputError
from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hpvade run reference.h5ad bulk.tsv.gz -o results")(run)


def run(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="REFERENCE... BULK", help="One or more references, then the bulk table."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    config: o.Config = None,
    preset: o.Preset = "default",
    labels_key: o.LabelsKey = "cell_type",
    donor_key: o.DonorKey = None,
    layer: o.Layer = None,
    label_map: o.LabelMap = None,
    rna_content: o.RnaContent = None,
    bulk_unit: o.BulkUnit = "auto",
    level: o.Level = None,
    with_unknown: o.WithUnknown = None,
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
    """Validate, train, deconvolve and report in one go."""
    if len(inputs) < 2:
        msg = "Give at least one reference and, last, the bulk table."
        raise typer.BadParameter(msg)
    if swapped := [path for path in inputs[:-1] if path.suffix in {".tsv", ".csv", ".txt", ".gct", ".gz"}]:
        msg = f"{swapped[0]} is a table, not a single-cell reference. The bulk table comes last."
        raise InputError(msg)
    terminal = Terminal(quiet=quiet)
    from hpvade.jobs import OutputOptions, ReferenceOptions, TrainOptions, run_files
    from hpvade.results import set_threads

    set_threads(threads)
    changes = o.setting_changes(
        context,
        preprocess__n_genes=n_genes,
        preprocess__min_cells=min_cells,
        network__members=members,
        train__max_epochs=max_epochs,
        deconvolve__level=level,
        deconvolve__with_unknown=with_unknown,
    )
    with terminal.training() as on_epoch:
        answered = run_files(
            inputs[:-1],
            inputs[-1],
            output,
            bulk_unit=bulk_unit,
            options=ReferenceOptions(labels_key, donor_key, layer, label_map, rna_content, max_cells, dask),
            train=TrainOptions(preset, changes, accelerator, devices, strategy, on_epoch, tensorboard),
            seed=seed,
            extras=OutputOptions(report, groups, expression),
            force=force,
            on_stage=terminal.stage,
        )
    if answered is None:
        terminal.note(
            f"Interrupted. The best model so far is in {output}; "
            f"hpvade deconvolve {output} {inputs[-1]} -o FOLDER uses it as it is."
        )
        raise typer.Exit(130)
    terminal.fractions(answered, output, as_json=as_json)
