"""What a run did: command, versions, inputs, decisions, timings, peak memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hpvade.io import sha256
from hpvade.model import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = "run.json"


def time_now() -> str:
    """Return the time now, as run.json tells it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(slots=True)
class RunRecord:
    """Grows while a run goes on and becomes ``run.json``.

    Parameters
    ----------
    seed
        The run's seed.
    on_stage
        Called with the name of each stage as it begins.
    """

    seed: int
    on_stage: Callable[[str], None] = lambda _name: None
    inputs: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=versions, init=False)
    _started: str = field(default_factory=time_now, init=False)
    _now: dict[str, Any] = field(default_factory=dict, init=False)
    _epoch_ends: list[float] = field(default_factory=list, init=False)
    _kept_in: Path | None = field(default=None, init=False)

    def keep_in(self, folder: Path) -> None:
        """Write ``run.json`` into a folder, and again whenever a stage begins or an epoch ends.

        Until `write` it has the entry ``now``: the stage, since when, the mean time of an epoch, and when the
        file was written.
        """
        self._kept_in = folder
        self._renew()

    def add_input(self, path: Path) -> None:
        """Note an input file or folder and its SHA-256."""
        self.inputs[str(path)] = sha256(path)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and note the most memory that was held up to its end."""
        self.on_stage(name)
        self._now = {"stage": name, "since": time_now()}
        self._renew()
        start = time.perf_counter()
        yield
        self.timings[name] = round(time.perf_counter() - start, 3)
        self.peaks[name] = round(peak_memory_mb())

    def end_epoch(self) -> None:
        """Note that an epoch ends now; its time counts from the end of the one before."""
        self._epoch_ends.append(time.perf_counter())
        if (n_timed := len(self._epoch_ends) - 1) > 0:
            seconds = (self._epoch_ends[-1] - self._epoch_ends[0]) / n_timed
            self._now["seconds_per_epoch"] = round(seconds, 4)
        self._renew()

    def write(self, path: Path) -> None:
        """Write the record of a run that is over as JSON; it is not renewed any more."""
        self._kept_in = None
        self._write(path, {})

    def _renew(self) -> None:
        if self._kept_in is not None:
            self._write(self._kept_in / RUN, {"now": self._now | {"written": time_now()}})

    def _write(self, path: Path, more: dict[str, Any]) -> None:
        record = {
            "command": sys.argv,
            "started": self._started,
            "versions": self._versions,
            "seed": self.seed,
            "inputs_sha256": self.inputs,
            "decisions": self.decisions,
            "seconds": self.timings,
            "peak_memory_mb": round(peak_memory_mb()),
            "peak_memory_mb_up_to": self.peaks,
        }
        if self.epochs:
            record["epochs"] = self.epochs
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(record | more, indent=1) + "\n")
        new.replace(path)  # so that nobody reads half of it


def peak_memory_mb() -> float:
    """Most memory this process has held so far, MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; what getrusage says there may be of the process that started this one
        lines = status.read_text().splitlines()
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        if peaks:
            return int(peaks[0]) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # macOS counts in bytes, Linux in kB


def set_threads(threads: int | None) -> None:
    """Limit the processor threads of this process; None leaves all."""
    if threads is not None:
        torch.set_num_threads(threads)
