"""``train_hp_vade.py``: train on the embedded data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "python train_hp_vade.py -y"


def train_embedded(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for model and history.")] = Path(
        "hp_vade_training"
    ),
    preset: o.Preset = "default",
    max_epochs: o.MaxEpochs = None,
    seed: o.Seed = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Train on the built-in reference of 700 PBMCs."""
    given = locals()
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.jobs import TrainOptions, settings_text, train_embedded

    changes = o.setting_changes(context, given)
    if not yes:
        typer.echo(settings_text(preset, changes))
        if not typer.confirm(f"Train on the built-in data and write the model to {output}?"):
            raise typer.Exit
    finished = train_embedded(
        output,
        train=o.record(TrainOptions, given, changes=changes, on_epoch=terminal.epoch_line),
        seed=seed,
        force=force,
        on_stage=terminal.stage,
    )
    if not finished:
        terminal.note(f"Interrupted. The best model so far is in {output}.")
        raise typer.Exit(130)
    terminal.note(f"Model: {output}")
