"""Results that grow while a long run goes on, and that a stopped run leaves for the next one."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILES, _PROGRESS = "files", "progress.json"


@dataclass(slots=True)
class Unfinished:
    """Files that are appended to.

    Attributes
    ----------
    folder
        Where they are.
    done
        How much of the run is in them.
    """

    folder: Path
    done: int
    _key: str

    def save(self, done: int) -> None:
        """Note how much is done: what is in the files now is kept, what comes later may be cut off."""
        sizes = {file.name: file.stat().st_size for file in self.folder.iterdir()}
        new = self.folder.with_name("new")
        new.write_text(json.dumps({"key": self._key, "done": done, "sizes": sizes}))
        new.replace(self.folder.with_name(_PROGRESS))
        self.done = done


@contextmanager
def unfinished(output: Path, *, key: str) -> Iterator[Unfinished]:
    """Yield the files of a run; gone when the block ends without an exception.

    Parameters
    ----------
    output
        Where the results of the run will stand. The files are beside it, and stay there when the run is
        killed, or when the block is left by an exception after something was saved; a `DataWarning` then says
        so.
    key
        What the results depend on. Files that a run with the same key left are gone on with, others are
        thrown away.
    """
    place = output.resolve().with_name(f".{output.name}.unfinished")
    files = Unfinished(place / _FILES, _earlier(place, key=key), key)
    files.folder.mkdir(parents=True, exist_ok=True)
    try:
        yield files
    except BaseException:
        if files.done:
            warn(f"What is finished is kept in {place}; the same command goes on from there.", DataWarning)
        else:
            shutil.rmtree(place)
        raise
    shutil.rmtree(place)


def _earlier(place: Path, *, key: str) -> int:
    """Say how much an earlier run has done, its files cut to that; nothing stays of one with another key."""
    progress = place / _PROGRESS
    told = json.loads(progress.read_text()) if progress.exists() else {}
    if told.get("key") != key:
        shutil.rmtree(place, ignore_errors=True)
        return 0
    for name, size in told["sizes"].items():
        os.truncate(place / _FILES / name, size)
    return int(told["done"])
