"""``hpvade monitor``."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpvade.cli import _options as o
from hpvade.cli._terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpvade.workflow import TrainingState


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hpvade monitor model")(monitor)


def monitor(
    folder: Annotated[
        Path,
        typer.Argument(metavar="MODEL_DIR", help="Output folder of hpvade train or run, also a coming one."),
    ],
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show how things are now and end.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait if no training is there yet.")] = False,
    config: o.Config = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print how things are now as JSON and end.")
    ] = False,
    seed: o.Seed = 0,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
) -> None:
    """Watch a training, or show a finished one; ends with 1 if it stopped without a result."""
    terminal = Terminal(quiet=quiet)

    def on_wait() -> None:
        terminal.note(f"Waiting for a training that writes {folder} …")

    from hpvade.workflow import TrainingWatch

    states = TrainingWatch(folder).states(interval=interval, on_wait=on_wait if wait else None)
    if as_json or once:
        state = next(states)
        _show_now(state, terminal, as_json=as_json)
    else:
        state = _follow(states, quiet=quiet)
    if state.status == "stopped":
        raise typer.Exit(1)


def _show_now(state: TrainingState, terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.result("", state.to_dict(), as_json=True)
    elif not terminal.quiet:
        from rich.console import Console

        from hpvade.cli._monitor_view import picture

        Console(highlight=False).print(picture(state))


def _follow(states: Iterator[TrainingState], *, quiet: bool) -> TrainingState:
    """Show each state until the last, which is returned: in place on a terminal, new epochs elsewhere."""
    from rich.console import Console
    from rich.live import Live

    from hpvade.cli._monitor_view import epoch_lines, picture

    console = Console(highlight=False, quiet=quiet)
    state = next(states)
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(picture(state), console=console, auto_refresh=False) as live:
            for state in states:
                live.update(picture(state), refresh=True)
        return state
    shown = len(state.history) - (state.status == "running")  # of what was before, the latest only
    for latest in itertools.chain([state], states):
        for line in epoch_lines(latest, after=max(shown, 0)):
            console.print(line, markup=False, soft_wrap=True)
        shown = len(latest.history)
    console.print(picture(latest))
    return latest
