"""``history.csv``: one row per epoch, written while training runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError
from hpvade.results._files import HISTORY, MODEL
from hpvade.train import HISTORY_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade.train import Row


def write_history(history: pd.DataFrame, folder: Path) -> None:
    """Write all rows; a reader of the file sees the old rows until then."""
    new = folder / f"{HISTORY}.new"
    history.to_csv(new, index=False)
    new.replace(folder / HISTORY)


def append_epoch(row: Row, folder: Path) -> None:
    """Add a row to those that are there; the bytes are those of `write_history`."""
    path = folder / HISTORY
    pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)


def read_history(folder: Path) -> pd.DataFrame:
    """Read ``history.csv`` of an earlier run, to continue from it.

    Raises
    ------
    FileFormatError
        The file is missing or damaged.
    """
    path = folder / HISTORY
    try:
        return pd.read_csv(path, float_precision="round_trip")  # to be written again
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read, so there is no training to continue. Train without --resume."
        raise FileFormatError(msg) from error


def history_beside(model: Path) -> pd.DataFrame:
    """Read the history that lies beside a model's folder in an output folder; empty where there is none.

    Raises
    ------
    FileFormatError
        The file is damaged.
    """
    path = model.parent / HISTORY
    if model.name != MODEL or not path.is_file():
        return pd.DataFrame()
    try:
        history = pd.read_csv(path)
    except ValueError as error:
        msg = f"{path} cannot be read ({error})."
        raise FileFormatError(msg) from error
    return history if set(HISTORY_COLUMNS) <= set(history) else pd.DataFrame()
