"""One job in a process of its own, so that it can be ended at any time and cannot take the pages with it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hpvade._process import interrupts_blocked
from hpvade.app._work import Task, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

State = Literal["running", "done", "failed", "cancelled"]


class Worker:
    """A process that waits for one task; it starts at once, because its imports take seconds.

    Parameters
    ----------
    folder
        For its temporary files; whoever made it removes it.
    """

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, folder))
        with interrupts_blocked():
            self._process.start()
        theirs.close()

    def is_alive(self) -> bool:
        """Whether it can still be given something."""
        return self._process.is_alive()

    def give(self, task: Task) -> None:
        """Hand over the task."""
        self._connection.send(task)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what the process tells, until it ends."""
        with suppress(EOFError, OSError):
            while True:
                yield json.loads(self._connection.recv_bytes())

    def end(self) -> int:
        """End the process and all that it started, if it has not ended by itself; returns its exit code."""
        self._process.join(0.0)
        if self._process.is_alive():
            with suppress(ProcessLookupError):  # it leads no group yet
                os.killpg(self._process.pid or 0, signal.SIGKILL)
            self._process.kill()
        self._process.join()
        return self._process.exitcode or 0

    def wait(self) -> int:
        """Wait until the process has ended by itself; returns its exit code."""
        self._process.join()
        return self._process.exitcode or 0


@dataclass(slots=True)
class Stage:
    """A stage of a job: its name, and how many seconds it took, if it is over."""

    name: str
    started: float
    seconds: float | None = None


@dataclass(slots=True)
class Progress:
    """How far a job is."""

    stages: list[Stage] = field(default_factory=list)
    epochs: list[dict[str, float | None]] = field(default_factory=list)
    last_epoch: int = 0
    block: tuple[str, int, int] | None = None
    notes: list[str] = field(default_factory=list)
    _seconds_of_epochs: float = 0.0

    def seconds_left(self, now: float) -> float | None:
        """Foretell the rest of the training from the epochs so far; None while nothing can be told."""
        if not self.epochs or not self.stages or self.stages[-1].name != "train":
            return None
        each = self._seconds_of_epochs / len(self.epochs)
        since = now - self.stages[-1].started - self._seconds_of_epochs
        return max(each * (self.last_epoch - len(self.epochs)) - since, 0.0)

    def take(self, message: dict[str, Any], now: float) -> None:
        """Note what the process told."""
        match message:
            case {"what": "stage", "name": name}:
                self.end_stage(now)
                self.stages.append(Stage(name, now))
            case {"what": "epoch", "row": row, "last": last}:
                self.epochs.append(row)
                self.last_epoch = last
                self._seconds_of_epochs = now - self.stages[-1].started
            case {"what": "block", "name": name, "done": done, "total": total}:
                self.block = (name, done, total)
            case {"what": "note", "message": text}:
                self.notes.append(text)

    def end_stage(self, now: float) -> None:
        """Note that the stage that was going on is over."""
        if self.stages and self.stages[-1].seconds is None:
            self.stages[-1].seconds = now - self.stages[-1].started


class Job:
    """A task that is under way, or over.

    Parameters
    ----------
    number
        Tells one job from another.
    task
        What is to be done.
    worker
        Who does it.
    on_end
        Called, in another thread, when it has ended by itself.
    """

    def __init__(self, number: int, task: Task, *, worker: Worker, on_end: Callable[[], None]) -> None:
        self.number, self.task = number, task
        self.state: State = "running"
        self.progress = Progress()
        self.answer: dict[str, Any] = {}
        self.problem = ""
        self.started = time.monotonic()
        self.ended: float | None = None
        self._worker, self._on_end = worker, on_end
        self._lock = threading.Lock()
        worker.give(task)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long it has been going on, or took."""
        return (self.ended or time.monotonic()) - self.started

    def cancel(self) -> None:
        """End it at once; one that is over stays as it is."""
        self._end("cancelled")
        self._worker.end()
        self._thread.join()

    def _listen(self) -> None:
        for message in self._worker.messages():
            match message:
                case {"what": "done", "answer": answer}:
                    self.answer = answer
                    self._end("done")
                case {"what": "failed", "message": text}:
                    self._end("failed", text)
                case _:
                    self.progress.take(message, time.monotonic())
        code = self._worker.wait()
        if self._end("failed", _of_exit(code)) != "cancelled":
            self._on_end()

    def _end(self, state: State, problem: str = "") -> State:
        """Note how it ended, the first time; returns how it did."""
        with self._lock:
            if self.state == "running":
                self.ended = time.monotonic()
                self.progress.end_stage(self.ended)
                self.problem = problem
                self.state = state
            return self.state


def _of_exit(code: int) -> str:
    """Say why a process ended without an answer."""
    if code < 0:
        return (
            f"The job was ended by the system (signal {-code}): perhaps memory ran out. Nothing was "
            "written. Try a smaller reference, or a machine with more memory."
        )
    return (
        f"The job ended without an answer (exit code {code}): a fault of hpvade. Nothing was written. The "
        "terminal in which hpvade app runs says more; please report it."
    )
