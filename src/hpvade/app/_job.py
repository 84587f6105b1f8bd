"""One job: its progress, and how it ended."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpvade.app._tasks import Task
    from hpvade.app._worker import Worker

State = Literal["running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Stage:
    """A stage of a job; ``seconds`` is None until it is over."""

    name: str
    started: float
    seconds: float | None = None


@dataclass(slots=True)
class Progress:
    """The progress of a job."""

    stages: list[Stage] = field(default_factory=list)
    epochs: list[dict[str, float | None]] = field(default_factory=list)
    last_epoch: int = 0
    block: tuple[str, int, int] | None = None
    warnings: list[str] = field(default_factory=list)
    _epoch_seconds: float = 0.0

    def seconds_left(self, now: float) -> float | None:
        """Estimate the remaining seconds of training from the epochs so far; None if unknown."""
        if not self.epochs or not self.stages or self.stages[-1].name != "train":
            return None
        per_epoch = self._epoch_seconds / len(self.epochs)
        since = now - self.stages[-1].started - self._epoch_seconds
        return max(per_epoch * (self.last_epoch - len(self.epochs)) - since, 0.0)

    def update(self, message: dict[str, Any], now: float) -> None:
        """Record a message of the process."""
        match message:
            case {"event": "stage", "name": name}:
                self.end_stage(now)
                self.stages.append(Stage(name, now))
            case {"event": "epoch", "row": row, "last": last}:
                self.epochs.append(row)
                self.last_epoch = last
                self._epoch_seconds = now - self.stages[-1].started
            case {"event": "block", "name": name, "done": done, "total": total}:
                self.block = (name, done, total)
            case {"event": "warning", "message": text}:
                self.warnings.append(text)

    def end_stage(self, now: float) -> None:
        """Record that the current stage is over."""
        if self.stages and self.stages[-1].seconds is None:
            self.stages[-1].seconds = now - self.stages[-1].started


class Job:
    """A task that is running or over.

    Parameters
    ----------
    number
        Identifies the job.
    task
        What to do.
    worker
        The process that does it.
    on_end
        Called, in another thread, when the job has ended without being cancelled.
    """

    def __init__(self, number: int, task: Task, *, worker: Worker, on_end: Callable[[], None]) -> None:
        self.number, self.task = number, task
        self.state: State = "running"
        self.progress = Progress()
        self.result: dict[str, Any] = {}
        self.error = ""
        self.started = time.monotonic()
        self.ended: float | None = None
        self._worker, self._on_end = worker, on_end
        self._lock = threading.Lock()
        worker.start(task)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self.ended or time.monotonic()) - self.started

    def cancel(self) -> None:
        """End the job at once; nothing happens if it is over."""
        self._end("cancelled")
        self._worker.end()
        self._thread.join()

    def _listen(self) -> None:
        for message in self._worker.messages():
            match message:
                case {"event": "done", "result": result}:
                    self.result = result
                    self._end("done")
                case {"event": "failed", "message": text}:
                    self._end("failed", text)
                case _:
                    self.progress.update(message, time.monotonic())
        code = self._worker.wait()
        if self._end("failed", _exit_message(code)) != "cancelled":
            self._on_end()

    def _end(self, state: State, error: str = "") -> State:
        """Record how the job ended, if it has not ended yet; returns how it did."""
        with self._lock:
            if self.state == "running":
                self.ended = time.monotonic()
                self.progress.end_stage(self.ended)
                self.error = error
                self.state = state
            return self.state


def _exit_message(code: int) -> str:
    """Explain why a process ended without a result."""
    if code < 0:
        return (
            f"The system ended the job (signal {-code}), perhaps because memory ran out. Nothing was "
            "written. Try a smaller reference or a machine with more memory."
        )
    return (
        f"The job failed (exit code {code}) because of a bug in hpvade. Nothing was written. The terminal "
        "in which hpvade app runs shows the details; please report them."
    )
