"""What a run did: command, versions, inputs, decisions, timings, peak memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hpvade.io import sha256
from hpvade.model import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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

    def add_input(self, path: Path) -> None:
        """Note an input file or folder and its SHA-256."""
        self.inputs[str(path)] = sha256(path)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and note the most memory that was held up to its end."""
        self.on_stage(name)
        start = time.perf_counter()
        yield
        self.timings[name] = round(time.perf_counter() - start, 3)
        self.peaks[name] = round(peak_memory_mb())

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        record = {
            "command": sys.argv,
            "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
            "versions": versions(),
            "seed": self.seed,
            "inputs_sha256": self.inputs,
            "decisions": self.decisions,
            "seconds": self.timings,
            "peak_memory_mb": round(peak_memory_mb()),
            "peak_memory_mb_up_to": self.peaks,
        }
        path.write_text(json.dumps(record, indent=1) + "\n")


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
