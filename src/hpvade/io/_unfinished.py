"""Results that grow while a long run goes on, and that a stopped run leaves for the next one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpvade._errors import InputError, OutputError
from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILES, _PROGRESS, _LOCK = "files", "progress.json", "lock"


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

    def move_to(self, folder: Path) -> None:
        """Move the files to an empty folder: the run is finished, and nothing is there to go on with."""
        self.done = 0
        self.folder.with_name(_PROGRESS).unlink()
        for file in self.folder.iterdir():
            file.replace(folder / file.name)


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
        thrown away, as are those of a run that ends with an `InputError`.

    Raises
    ------
    OutputError
        Another run is writing there.
    """
    place = output.resolve().with_name(f".{output.name}.unfinished")
    place.mkdir(parents=True, exist_ok=True)
    with (place / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"Another run is writing {output}. Wait for its end, or choose another place."
            raise OutputError(msg) from error
        files = Unfinished(place / _FILES, _earlier(place, key=key), key)
        files.folder.mkdir(exist_ok=True)
        keep = False
        try:
            yield files
        except InputError:  # with another input it is another run
            raise
        except BaseException:
            keep = files.done > 0
            if keep:
                warn(
                    f"What is finished is kept in {place}; the same command goes on from there.", DataWarning
                )
            raise
        finally:
            if not keep:
                shutil.rmtree(place)


def _earlier(place: Path, *, key: str) -> int:
    """Say how much an earlier run has done, its files cut to that.

    0, and nothing stays of it, where it had another key or its files are not whole.
    """
    try:
        told = json.loads((place / _PROGRESS).read_text())
        sizes = {place / _FILES / name: size for name, size in told["sizes"].items()}
        usable = told["key"] == key and all(file.stat().st_size >= size for file, size in sizes.items())
    except (FileNotFoundError, ValueError, KeyError):
        usable = False
    if not usable:
        (place / _PROGRESS).unlink(missing_ok=True)
        shutil.rmtree(place / _FILES, ignore_errors=True)
        return 0
    for file, size in sizes.items():
        os.truncate(file, size)
    return int(told["done"])
