"""``hpvade train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade train reference.h5ad -o model --bulk bulk.tsv.gz"


def train(
    context: typer.Context,
    reference: Annotated[list[Path], typer.Argument(help=f"One or more: {o.REFERENCE_HELP}")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model, history and signature.")],
    bulk: Annotated[
        Path | None,
        typer.Option("--bulk", help=f"To be deconvolved later; only its genes are used. {o.BULK_HELP}"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the model in the output folder.")
    ] = False,
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
    seed: o.Seed = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Train a model on one or more references."""
    given = locals()
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.jobs import BulkOptions, ReferenceOptions, TrainOptions, train_files

    changes = o.setting_changes(context, given)
    with terminal.training() as on_epoch:
        finished = train_files(
            reference,
            output,
            bulk=bulk,
            bulk_options=o.record(BulkOptions, given),
            options=o.record(ReferenceOptions, given),
            train=o.record(TrainOptions, given, changes=changes, on_epoch=on_epoch),
            seed=seed,
            resume=resume,
            force=force,
            on_stage=terminal.stage,
        )
    if not finished:
        terminal.note(
            f"Interrupted. The best model so far is in {output}. Continue with the same command and --resume."
        )
        raise typer.Exit(130)
    terminal.note(f"Model: {output}")
