"""``hpvade demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

EXAMPLE = "hpvade demo -o demo-results"


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    config: o.Config = None,
    preset: o.Preset = "default",
    max_epochs: o.MaxEpochs = None,
    as_json: o.Json = False,
    seed: o.Seed = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
    force: o.Force = False,
) -> None:
    """Run the whole analysis on built-in data.

    The reference has 700 PBMCs; the bulk samples are simulated from held-out cells.
    """
    given = locals()
    terminal = Terminal(quiet=quiet, threads=threads)
    from hpvade.jobs import TrainOptions, demo_files

    changes = o.setting_changes(context, given)
    with terminal.training() as on_epoch:
        accuracy = demo_files(
            output,
            train=o.record(TrainOptions, given, changes=changes, on_epoch=on_epoch),
            seed=seed,
            force=force,
            on_stage=terminal.stage,
        )
    text = (
        "Accuracy on bulk samples simulated, with platform effects, from cells outside the reference:\n\n"
        f"{accuracy.round(3).to_string(na_rep='undefined')}\n\n"
        f"Report:  {output / 'report.html'}\nResults: {output}"
    )
    # JSON has no NaN: an undefined metric is null.
    values = accuracy.astype(object).where(accuracy.notna(), None).T.to_dict()
    terminal.result(text, values, as_json=as_json)
