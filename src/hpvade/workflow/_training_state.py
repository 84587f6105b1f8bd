"""A training as its files tell it: how far, how long, how well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from hpvade._errors import FileFormatError
from hpvade.train import MONITOR
from hpvade.workflow._record import RUN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

Status = Literal["running", "finished", "stopped"]

_SOON = 5  # epochs before the course of a training is judged
_NO_CORRELATION = 0.1  # `val_r_type` of a network that says the same of every mixture is 0 ± chance
_NO_BETTER = 3  # epochs in a row; fewer are usual
_QUIET = 60  # seconds, and ten epochs, without a sign before this is told


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """A training as it is now.

    Attributes
    ----------
    output
        The output folder, as it was asked for.
    folder
        Where the files are: beside the output until the run is finished.
    status
        ``"stopped"`` is a run whose process is gone and that has left no output.
    stage
        Name of the stage the run is in; empty before the first and after the last.
    started
        When, ISO 8601; empty where an older run does not say so.
    history
        One row per epoch, as in ``history.csv``.
    epochs_at_most
        Epochs in all, unless training stops early.
    seconds
        How long the run has taken, with all its stages; None where that is not known.
    seconds_per_epoch
        Mean time of an epoch; None before two are over, because what comes before the first is not its own.
    seconds_left
        Until the last epoch, if training does not stop early; None when it is not in training.
    problems
        What should worry the user, as sentences.
    """

    output: Path
    folder: Path
    status: Status
    stage: str
    started: str
    history: pd.DataFrame
    epochs_at_most: int
    seconds: float | None
    seconds_per_epoch: float | None
    seconds_left: float | None
    problems: tuple[str, ...]

    @property
    def best(self) -> pd.Series | None:
        """The epoch whose weights the model has: the one with the least proportion loss on held-out cells."""
        values = self.history[MONITOR].to_numpy(float)
        if not np.isfinite(values).any():
            return None
        return self.history.iloc[int(np.argmin(np.where(np.isfinite(values), values, np.inf)))]

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON has it; epochs are numbered as in ``history.csv``, undefined values are None."""
        best = self.best
        latest = self.history.iloc[-1].to_dict() if len(self.history) else {}
        return {
            "output": str(self.output),
            "folder": str(self.folder),
            "status": self.status,
            "stage": self.stage,
            "started": self.started,
            "seconds": self.seconds,
            "epochs_done": len(self.history),
            "epochs_at_most": self.epochs_at_most,
            "seconds_per_epoch": self.seconds_per_epoch,
            "seconds_left": self.seconds_left,
            "best_epoch": None if best is None else int(best["epoch"]),
            f"best_{MONITOR}": None if best is None else float(best[MONITOR]),
            "latest": {name: value if math.isfinite(value) else None for name, value in latest.items()}
            | ({"epoch": int(latest["epoch"])} if latest else {}),
            "problems": list(self.problems),
        }


class _Progress(NamedTuple):
    """What run.json says of how far the run is."""

    stage: str
    started: str
    seconds: float | None
    quiet: float  # seconds since the last sign
    seconds_per_epoch: float | None
    earlier: int
    at_most: int
    patience: float


def training_state(
    record: Mapping[str, Any],
    history: pd.DataFrame,
    *,
    status: Status,
    folder: Path,
    output: Path,
    now: datetime,
) -> TrainingState:
    """Put together what ``run.json`` and ``history.csv`` say.

    Parameters
    ----------
    record
        Content of ``run.json``; empty where there is none.
    history
        Content of ``history.csv``.
    status, folder, output
        As in the state.
    now
        The time, with its zone.

    Raises
    ------
    FileFormatError
        The record is not one.
    """
    try:
        progress = _progress(record, status=status, now=now)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(folder / RUN, repr(error)) from error
    at_most = max(progress.at_most, len(history))
    problems = _problems_of_losses(history)
    left = None
    if status == "running" and progress.stage == "train":
        no_better = _epochs_since_best(history[progress.earlier :])
        each = progress.seconds_per_epoch
        if each is not None and len(history) < at_most and no_better < progress.patience:
            left = max(each * (at_most - len(history)) - progress.quiet, 0.0)
            if progress.quiet > max(_QUIET, 10 * each):
                problems.append(
                    f"No epoch has ended for {progress.quiet:.0f} s, while one took {each:.1f} s."
                )
        if no_better >= _NO_BETTER:
            problems.append(
                f"{MONITOR} has been no better for {no_better} epochs; {progress.patience:g} in a row end "
                "training."
            )
    return TrainingState(
        output=output,
        folder=folder,
        status=status,
        stage=progress.stage,
        started=progress.started,
        history=history,
        epochs_at_most=at_most,
        seconds=progress.seconds,
        seconds_per_epoch=progress.seconds_per_epoch,
        seconds_left=left,
        problems=tuple(problems),
    )


def damaged(path: Path, reason: object) -> FileFormatError:
    """Make the error for a file that is not what it should be."""
    return FileFormatError(f"{path} is damaged ({reason}). Restore it, or train again.")


def _progress(record: Mapping[str, Any], *, status: Status, now: datetime) -> _Progress:
    epochs = record.get("epochs", {})
    current = record.get("now", {})
    started = str(record.get("started", ""))
    seconds, quiet = None, 0.0
    if current:  # not over, or killed
        seen = datetime.fromisoformat(current["written"])
        quiet = max((now - seen).total_seconds(), 0.0)
        end = now if status == "running" else seen
        seconds = max((end - datetime.fromisoformat(started)).total_seconds(), 0.0)
    elif "seconds" in record:
        seconds = float(sum(record["seconds"].values()))
    return _Progress(
        stage=str(current.get("stage", "")),
        started=started,
        seconds=seconds,
        quiet=quiet,
        seconds_per_epoch=current.get("seconds_per_epoch"),
        earlier=int(epochs.get("earlier", 0)),
        at_most=int(epochs.get("at_most", 0)),
        patience=epochs.get("patience", math.inf),
    )


def _problems_of_losses(history: pd.DataFrame) -> list[str]:
    """Say what is wrong with the losses at the latest epoch."""
    if not len(history):
        return []
    latest = history.iloc[-1]
    losses = latest.drop("val_r_type")
    problems = [f"{name} is not finite." for name in losses.index[~np.isfinite(losses.astype(float))]]
    if len(history) < _SOON:
        return problems
    r_type = latest["val_r_type"]
    if not r_type >= _NO_CORRELATION:  # NaN too: a constant has no correlation
        problems.append(
            f"val_r_type is {r_type:.2f} after {len(history)} epochs: the network says nearly the same "
            "fractions of every mixture (mean collapse). It has not learned, however small the losses are."
        )
    return problems


def _epochs_since_best(history: pd.DataFrame) -> int:
    """Count the epochs at the end that were no better than one before them."""
    values = history[MONITOR].to_numpy()
    return len(values) - 1 - int(np.argmin(np.nan_to_num(values, nan=np.inf))) if len(values) else 0
