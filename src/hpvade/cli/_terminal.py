"""The output of a command: notes and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import math
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hpvade._titles import STAGE_TITLES
from hpvade._warnings import HPVADEWarning
from hpvade.cli._summary import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from hpvade.jobs import RunSummary
    from hpvade.train import Row


class Terminal:
    """Notes, warnings and results of one command.

    Parameters
    ----------
    quiet
        Whether to print no notes and warnings.
    threads
        Processor threads of the command; None leaves the default.
    """

    def __init__(self, *, quiet: bool, threads: int | None = None) -> None:
        if threads is not None:
            from hpvade._threads import set_threads

            set_threads(threads)
        self.quiet = quiet
        self._shown: set[str] = set()
        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        warnings.simplefilter("always", HPVADEWarning)
        warnings.showwarning = self._show_warning  # type: ignore[assignment]

    def note(self, text: str) -> None:
        """Print a note."""
        self.console.print(text, markup=False)

    def result(self, text: str, values: Any, *, as_json: bool) -> None:  # noqa: ANN401
        """Print the result on stdout: text for people (unless quiet), or JSON for programs."""
        if as_json:
            print(json.dumps(values, indent=1, allow_nan=False))
        elif not self.quiet:
            print(text)

    def stage(self, name: str) -> None:
        """Print which stage begins."""
        self.note(f"{STAGE_TITLES[name]} …")

    def fractions(self, run: RunSummary, output: Path, *, as_json: bool) -> None:
        """Print a summary of the run, or all fractions as JSON."""
        if as_json:
            self.result("", run.fractions.T.to_dict(), as_json=True)
        elif not self.quiet:
            Console(highlight=False, soft_wrap=True).print(summary(run, output))

    def epoch_line(self, row: Row, last: int) -> None:
        """Print both losses of one epoch as a line."""
        self.note(f"epoch {int(row['epoch']) + 1}/{last}  {losses_of(row)}")

    @contextmanager
    def training(self) -> Iterator[Callable[[Row, int], None]]:
        """Yield what to call after each epoch: a progress bar on a terminal, plain lines elsewhere."""
        if not self.console.is_terminal or self.quiet:
            yield self.epoch_line
            return
        columns = ("Training", BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[losses]}"))
        progress = Progress(*columns, TimeElapsedColumn(), console=self.console)
        task = progress.add_task("train", total=None, losses="")

        def show(row: Row, last: int) -> None:
            progress.start()  # only now: earlier stages may fail or print lines
            progress.update(task, total=last, completed=int(row["epoch"]) + 1, losses=losses_of(row))

        try:
            yield show
        finally:
            progress.stop()

    @contextmanager
    def tasks(self) -> Iterator[Callable[[str, int, int], None]]:
        """Yield what to call as each of many tasks begins: a progress bar on a terminal, silent elsewhere."""
        if not self.console.is_terminal or self.quiet:
            yield lambda _name, _done, _total: None
            return
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[name]}", markup=False))
        progress = Progress(*columns, TimeElapsedColumn(), console=self.console)
        task = progress.add_task("tasks", total=None, name="")

        def show(name: str, done: int, total: int) -> None:
            progress.start()  # only now: earlier stages may fail or print lines
            progress.update(task, total=total, completed=done, name=name)

        try:
            yield show
        finally:
            progress.stop()

    def _show_warning(self, message: Warning | str, category: type[Warning], *_args: object) -> None:
        if issubclass(category, HPVADEWarning) and str(message) not in self._shown:
            self._shown.add(str(message))  # the same warning may come from many blocks
            self.note(f"Note: {message}")


def losses_of(row: Mapping[str, float]) -> str:
    """Return both losses and `val_r_type` of an epoch as text, without undefined ones."""
    names = ("train_loss", "val_loss", "val_r_type")
    return "  ".join(f"{name} {row[name]:.4g}" for name in names if not math.isnan(row[name]))


def fail(message: str, code: int) -> None:
    """Print an error on stderr and exit."""
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)
