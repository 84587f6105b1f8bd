"""The record of a run: command, versions, inputs, decisions, timings, peak memory."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpvade.io import sha256
from hpvade.model import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(slots=True)
class RunRecord:
    """Grows during a run and becomes ``run.json``.

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
    peaks: dict[str, int | None] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=versions, init=False)
    _started: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"), init=False
    )

    def add_input(self, path: Path) -> None:
        """Record an input file or folder and its SHA-256."""
        self.inputs[str(path)] = sha256(path)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and record the peak memory up to its end."""
        self.on_stage(name)
        start = time.perf_counter()
        yield
        self.timings[name] = round(time.perf_counter() - start, 3)
        self.peaks[name] = peak_memory_mb()

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``run.json``."""
        return {
            "command": sys.argv,
            "started": self._started,
            "versions": self._versions,
            "seed": self.seed,
            "inputs_sha256": dict(self.inputs),
            "decisions": dict(self.decisions),
            "seconds": dict(self.timings),
            "peak_memory_mb": peak_memory_mb(),
            "peak_memory_mb_up_to": dict(self.peaks),
        }

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        path.write_text(json.dumps(self.to_dict(), indent=1) + "\n")


def peak_memory_mb() -> int | None:
    """Peak memory of this process so far, MB; None where the system does not report it, as on Windows."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; getrusage may report the peak of the process that started this one
        lines = status.read_text().splitlines()
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        if peaks:
            return round(int(peaks[0]) / 1e3)
    try:
        import resource  # noqa: PLC0415 - not available on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak / 1e3)  # macOS counts bytes, Linux kB
