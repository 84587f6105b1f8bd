"""Results of a long run that are kept when the run is stopped, so that the next one can resume them."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._output import PROGRESS, UNFINISHED

if TYPE_CHECKING:
    from pathlib import Path

_FILES = "files"


@dataclass(slots=True)
class Unfinished:
    """Files that are appended to.

    `output_dir` deletes them when the run ends, and keeps them when it is stopped.

    Attributes
    ----------
    folder
        Where they are.
    done
        How many steps of the run they contain.
    """

    folder: Path
    done: int
    _key: str

    @classmethod
    def beside(cls, complete: Path, *, key: str) -> Unfinished:
        """Start the files of a run, or resume those of an earlier one.

        Parameters
        ----------
        complete
            The folder of the run's output, as `output_dir` yields it.
        key
            What the results depend on. The files of an earlier run with another key are deleted.
        """
        workspace = complete.parent / UNFINISHED
        done = _resume(workspace, key=key)
        return cls(workspace / _FILES, done, key)

    def save(self, done: int) -> None:
        """Record how many steps are done; what is appended afterwards is cut off if the run is stopped."""
        sizes = {file.name: file.stat().st_size for file in self.folder.iterdir()}
        new = self.folder.with_name("new")
        new.write_text(json.dumps({"key": self._key, "done": done, "sizes": sizes}))
        new.replace(self.folder.with_name(PROGRESS))
        self.done = done

    def copy_to(self, folder: Path) -> None:
        """Put the files into a folder; they stay here too, in case the run is stopped later."""
        for file in self.folder.iterdir():
            shutil.copy2(file, folder / file.name)


def _resume(workspace: Path, *, key: str) -> int:
    """Return how many steps an earlier run has done, its files cut to that.

    0, and an empty folder for files, if it had another key or its files are incomplete.
    """
    try:
        progress = json.loads((workspace / PROGRESS).read_text())
        sizes = {workspace / _FILES / name: size for name, size in progress["sizes"].items()}
        usable = (
            progress["key"] == key
            and all(file.parent.name == _FILES for file in sizes)
            and all(file.stat().st_size >= size for file, size in sizes.items())
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        usable = False
    if not usable:
        shutil.rmtree(workspace, ignore_errors=True)
        (workspace / _FILES).mkdir(parents=True)
        return 0
    for file, size in sizes.items():
        os.truncate(file, size)
    return int(progress["done"])
