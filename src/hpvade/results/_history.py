"""``history.csv``: one row per epoch, written and read while training goes on."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError
from hpvade.train import HISTORY_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade.train import Row

HISTORY = "history.csv"


def write_history(history: pd.DataFrame, folder: Path) -> None:
    """Write all rows; who reads the file meanwhile has the old one."""
    new = folder / f"{HISTORY}.new"
    history.to_csv(new, index=False)
    new.replace(folder / HISTORY)


def append_epoch(row: Row, folder: Path) -> None:
    """Add a row to those that are there; the bytes are those of `write_history`."""
    path = folder / HISTORY
    pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)


def read_history(path: Path) -> pd.DataFrame:
    """Read ``history.csv`` of an earlier run, to go on from it.

    Raises
    ------
    FileFormatError
        It is not there.
    """
    try:
        return pd.read_csv(path, float_precision="round_trip")  # to be written again
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read, so there is nothing to go on from. Train without --resume."
        raise FileFormatError(msg) from error


class HistoryReader:
    """Reads a history that grows; what was read once is not read again."""

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, path: Path | None) -> None:
        self._path = path
        self._header = b""
        self._offset = 0  # of the first line that was not read
        self.rows = pd.DataFrame(columns=list(HISTORY_COLUMNS), dtype=float)

    def read(self, path: Path) -> pd.DataFrame:
        """Return all rows of which the line is whole.

        Parameters
        ----------
        path
            The file; with another one than before, or one that was cut, reading begins anew.

        Raises
        ------
        FileFormatError
            It is not a history.
        FileNotFoundError
            It is not there.
        """
        with path.open("rb") as file:
            if path != self._path or os.fstat(file.fileno()).st_size < self._offset:
                self._begin(path)
            file.seek(self._offset)
            new = file.read()
        lines = new[: new.rfind(b"\n") + 1]
        if lines and not self._header:
            self._header = lines[: lines.index(b"\n") + 1]
            self.rows = _parse(lines, path)
        elif lines:
            self.rows = pd.concat([self.rows, _parse(self._header + lines, path)], ignore_index=True)
        self._offset += len(lines)
        return self.rows


def _parse(text: bytes, path: Path) -> pd.DataFrame:
    try:
        if text.count(b",") != text.count(b"\n") * text[: text.index(b"\n")].count(b","):
            msg = "a line has more or fewer values than the first"
            raise ValueError(msg)
        rows = pd.read_csv(io.BytesIO(text), dtype=float, float_precision="round_trip")
        if missing := [name for name in HISTORY_COLUMNS if name not in rows]:
            msg = f"the column '{missing[0]}' is missing"
            raise ValueError(msg)
        if rows["epoch"].isna().any():
            msg = "a row has no epoch"
            raise ValueError(msg)
    except ValueError as error:
        msg = f"{path} is not a history of a training, or is damaged: {error}. Restore it, or train again."
        raise FileFormatError(msg) from error
    return rows
