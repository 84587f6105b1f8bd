"""``hpvade preprocess``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade preprocess reference.h5ad -o prepared.h5ad --donor-key donor"


def preprocess(
    context: typer.Context,
    reference: Annotated[list[Path], typer.Argument(help=f"One or more: {o.REFERENCE_HELP}")],
    output: Annotated[Path, typer.Option("--output", "-o", help="h5ad file for the prepared reference.")],
    config: o.Config = None,
    labels_key: o.LabelsKey = "cell_type",
    donor_key: o.DonorKey = None,
    layer: o.Layer = None,
    labels: o.Labels = None,
    label_map: o.LabelMap = None,
    n_genes: o.NGenes = None,
    min_cells: o.MinCells = None,
    max_cells: o.MaxCells = 20_000,
    dask: o.Dask = None,
    preset: o.Preset = "default",
    seed: o.Seed = 0,
    threads: o.UnusedThreads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Prepare a reference: counts, genes, held-out cells."""
    given = locals()
    terminal = Terminal(quiet=quiet)
    from hpvade.io import output_file, write_h5ad
    from hpvade.jobs import ReferenceOptions, preprocess_files

    with output_file(output, force=force) as partial:
        prepared = preprocess_files(
            reference,
            options=o.record(ReferenceOptions, given),
            preset=preset,
            changes=o.setting_changes(context, given),
            seed=seed,
        )
        write_h5ad(prepared, partial)
    heldout = int((prepared.obs["split"] == "heldout").sum())
    terminal.note(
        f"{prepared.n_obs:,} cells ({heldout:,} held out), {int(prepared.var['selected'].sum())} of "
        f"{prepared.n_vars} genes selected: {output}"
    )
