"""How `hpvade monitor` shows a training: a picture on a terminal, lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpvade._duration import duration
from hpvade.cli._bars import tiny_bar
from hpvade.cli._terminal import losses_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hpvade.workflow import TrainingState

_NO_NUMBER = "!"
_WIDTH = 24  # bars of a course
_HEALTHY = {
    "loss_recon": "0.1 to 1",
    "loss_kl": "1 to 10",
    "loss_proto": "0.1 to 10",
    "loss_prop": "below 0.1",
    "loss_bulk_recon": "below 1",
}
_COLOURS = {"running": "cyan", "finished": "green", "stopped": "red"}


def picture(state: TrainingState) -> RenderableType:
    """Draw a training: where it is, how long it will take, every loss with its course, what is wrong."""
    times = "".join(f" · {words}" for words in _times(state))
    status = Text.assemble((state.status, f"bold {_COLOURS[state.status]}"), times)
    parts: list[RenderableType] = [Text(str(state.output)), status, _epochs(state)]
    if (best := state.best) is not None:
        parts.append(Text(f"best: epoch {int(best['epoch']) + 1}, val_loss_prop {best['val_loss_prop']:.4g}"))
    if len(state.history):
        parts.append(Padding(_losses(state), (1, 0)))
    if state.status == "stopped":
        text = "The process has ended without a result: it was killed or failed. What it printed says why."
        parts.append(Text(text, style="red"))
    parts += [Text(problem, style="yellow") for problem in state.problems]
    if len(state.history) and not state.problems:
        parts.append(Text("No sign of trouble.", style="green"))
    return Group(*parts)


def epoch_lines(state: TrainingState, *, after: int) -> list[str]:
    """Return a line for each epoch from ``after`` on, the last with the time that is left."""
    last = state.epochs_at_most
    rows = [row for _, row in state.history.iloc[after:].iterrows()]
    lines = [f"epoch {int(row['epoch']) + 1}/{last}  {losses_of(dict(row))}" for row in rows]
    if lines and state.seconds_left is not None:
        lines[-1] += f"  at most {duration(state.seconds_left)} left"
    return lines


def sparkline(values: np.ndarray, *, low: float | None = None, high: float | None = None) -> str:
    """Draw a course as bars, each the mean of some values; ``!`` where these are not finite.

    Parameters
    ----------
    values
        In the order of time.
    low, high
        Values of the lowest and the highest bar. Default: those of the course.
    """
    parts = np.array_split(values, min(len(values), _WIDTH))
    means = np.array([part.mean() for part in parts])
    finite = means[np.isfinite(means)]
    if not len(finite):
        return _NO_NUMBER * len(means)
    low = finite.min() if low is None else low
    high = finite.max() if high is None else high
    heights = np.clip((means - low) / (high - low if high > low else 1.0), 0, 1)
    return "".join(tiny_bar(height) if np.isfinite(height) else _NO_NUMBER for height in heights)


def _times(state: TrainingState) -> list[str]:
    words = [f"stage: {state.stage}"] if state.stage and state.status == "running" else []
    if state.seconds is not None:
        words.append(
            f"took {duration(state.seconds)}" if state.status == "finished" else duration(state.seconds)
        )
    if state.seconds_left is not None and state.seconds_per_epoch is not None:
        words.append(f"at most {duration(state.seconds_left)} left, {state.seconds_per_epoch:.3g} s an epoch")
    return words


def _epochs(state: TrainingState) -> RenderableType:
    done, at_most = len(state.history), state.epochs_at_most
    if not at_most:
        return Text("no epoch yet")
    line = Table.grid(padding=(0, 2))
    early = "ended early" if state.status == "finished" and done < at_most else ""
    line.add_row(f"epoch {done}/{at_most}", ProgressBar(total=at_most, completed=done, width=40), early)
    return line


def _losses(state: TrainingState) -> Table:
    history = state.history
    table = Table(box=None, padding=(0, 2), pad_edge=False, header_style="bold")
    for name in ("", "train", "val"):
        table.add_column(name, justify="right" if name else "left")
    table.add_column("course of val")
    table.add_column("healthy", style="dim")
    for name in ("loss", *_HEALTHY):
        train, val = (history[f"{phase}_{name}"].to_numpy() for phase in ("train", "val"))
        with np.errstate(divide="ignore", invalid="ignore"):
            course = np.log10(val)  # a loss falls by factors
        now = (f"{values[-1]:.4g}" for values in (train, val))
        table.add_row(name, *now, sparkline(course), _HEALTHY.get(name, "falls"))
    r_type = history["val_r_type"].to_numpy()
    table.add_row("r_type", "", f"{r_type[-1]:.4g}", sparkline(r_type, low=0, high=1), "rises to 1")
    return table
