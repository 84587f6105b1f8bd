"""Looking at a training from outside: which one is meant, and how it is now."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from hpvade._errors import InputError
from hpvade.io import partial_outputs
from hpvade.workflow._history import HISTORY, HistoryReader
from hpvade.workflow._record import RUN
from hpvade.workflow._training_state import TrainingState, damaged, training_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hpvade.workflow._training_state import Status


class TrainingWatch:
    """Looks at one training again and again, without touching it.

    Parameters
    ----------
    path
        Output folder of ``hpvade train`` or ``run``, or ``model/`` in it; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = HistoryReader()
        self._running: TrainingState | None = None

    def states(
        self, *, interval: float, on_wait: Callable[[], None] | None = None
    ) -> Iterator[TrainingState]:
        """Look until the training is over; the last state is that of a finished or a stopped one.

        Parameters
        ----------
        interval
            Seconds between two looks.
        on_wait
            Called once if nothing is there yet; then the training is waited for. None: that is an error.

        Raises
        ------
        InputError
            Neither a running nor a finished training is there, or its files are damaged.
        """
        state = self.look()
        if state is None:
            if on_wait is None:
                msg = (
                    f"There is no training at {self.path}: none that is running, and no {HISTORY} of a "
                    "finished one. Give the output folder of hpvade train or run, or --wait for it."
                )
                raise InputError(msg)
            on_wait()
        while state is None or state.status == "running":
            if state is not None:
                yield state
            time.sleep(interval)
            state = self.look()
        yield state

    def look(self) -> TrainingState | None:
        """Return the state now, or None if no training is there.

        Where several were started, it is the running one, else the latest.

        Raises
        ------
        FileFormatError
            ``history.csv`` or ``run.json`` is damaged.
        """
        found = _find(self.path)
        if found is None or (found.status != "running" and self._is_another(found)):
            if self._running is None:
                return None
            return replace(self._running, status="stopped", stage="", seconds_left=None)
        try:
            history = self._reader.read(found.folder / HISTORY)
        except FileNotFoundError:
            if found.status == "finished" or not found.folder.is_dir():  # moved into its place just now
                return self.look()
            history = HistoryReader().rows  # its first epoch is not over
        state = training_state(
            found.record,
            history,
            status=found.status,
            folder=found.folder,
            output=self.path,
            now=datetime.now(UTC),
        )
        self._running = state if state.status == "running" else None
        return state

    def _is_another(self, found: _Found) -> bool:
        """Whether the run that was watched has left nothing, and this is an older one."""
        return self._running is not None and found.record.get("started", "") != self._running.started


class _Found(NamedTuple):
    status: Status
    folder: Path
    record: dict[str, Any]


def _find(path: Path) -> _Found | None:
    """Find the training that is meant: the running one, else the one that was started last."""
    path = path.resolve()
    for output in (path, path.parent) if path.name == "model" else (path,):
        found = [
            _Found("running" if partial.is_written else "stopped", partial.folder, record)
            for partial in partial_outputs(output)
            if (record := _read_record(partial.folder))
        ]
        if (output / HISTORY).is_file():
            found.append(_Found("finished", output, _read_record(output)))
        if found:
            return max(found, key=lambda one: (one.status == "running", str(one.record.get("started", ""))))
    return None


def _read_record(folder: Path) -> dict[str, Any]:
    """Read run.json; empty where there is none."""
    path = folder / RUN
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise damaged(path, error) from error
    if not isinstance(record, dict):
        raise damaged(path, "it holds no JSON object")
    return record
