"""``hpvade simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade._types import Split
from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade simulate prepared.h5ad -o mixtures.h5ad --n-mixtures 500"


def simulate(
    context: typer.Context,
    prepared: Annotated[Path, typer.Argument(help="Prepared reference, as hpvade preprocess writes it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="h5ad file for the mixtures.")],
    config: o.Config = None,
    n_mixtures: Annotated[int | None, typer.Option("--n-mixtures", min=1, help="Number of mixtures.")] = None,
    n_cells: o.NCells = None,
    split: Annotated[Split, typer.Option("--split", help="Cells to draw from.")] = "heldout",
    effects: Annotated[
        bool, typer.Option(help="Add platform effects, and sequencing noise if --config sets a depth.")
    ] = True,
    preset: o.Preset = "default",
    seed: o.Seed = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Simulate bulk samples with known fractions."""
    given = locals()
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.io import output_file, write_h5ad
    from hpvade.jobs import simulate_mixtures

    changes = o.setting_changes(context, given)
    if n_mixtures is not None:
        number = "n_heldout" if split == "heldout" else "n_mixtures"
        changes.setdefault("simulate", {})[number] = n_mixtures
    with output_file(output, force=force) as partial:
        mixtures = simulate_mixtures(
            prepared, preset=preset, changes=changes, split=split, effects=effects, seed=seed
        )
        write_h5ad(mixtures, partial)
    terminal.note(f"{mixtures.n_obs:,} mixtures of {mixtures.n_vars:,} genes: {output}")
