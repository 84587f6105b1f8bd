"""Results of a long run that are kept when the run is stopped, so that the next one can resume them."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

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
        How many steps of the run they contain.
    """

    folder: Path
    done: int
    _key: str

    def save(self, done: int) -> None:
        """Record how many steps are done; what is appended afterwards is cut off if the run is stopped."""
        sizes = {file.name: file.stat().st_size for file in self.folder.iterdir()}
        new = self.folder.with_name("new")
        new.write_text(json.dumps({"key": self._key, "done": done, "sizes": sizes}))
        new.replace(self.folder.with_name(_PROGRESS))
        self.done = done

    def move_to(self, folder: Path) -> None:
        """Move the files to an empty folder: the run is finished, and nothing is left to resume."""
        self.done = 0
        self.folder.with_name(_PROGRESS).unlink()
        for file in self.folder.iterdir():
            file.replace(folder / file.name)


@contextmanager
def unfinished(output: Path, *, key: str, inside: bool = False) -> Iterator[Unfinished]:
    """Yield the files of a run; they are deleted when the block ends without an exception.

    Parameters
    ----------
    output
        Where the results of the run will be. The files are beside it, and are kept when the run is killed, or
        when the block is left by an exception after something was saved; a `DataWarning` then reports it.
    key
        What the results depend on. The files of an earlier run with the same key are resumed. Others are
        deleted, as are those of a run that ends with an `InputError`.
    inside
        Whether the files are in the folder of the results instead: where these are added to others.

    Raises
    ------
    OutputError
        If another run is writing there, or the file system cannot lock files.
    """
    place = output.resolve()
    workspace = (place if inside else place.parent) / f".{place.name}.unfinished"
    workspace.mkdir(parents=True, exist_ok=True)
    with _locked(workspace, output=output):
        files = Unfinished(workspace / _FILES, _resume(workspace, key=key), key)
        files.folder.mkdir(exist_ok=True)
        keep = False
        try:
            yield files
        except InputError:  # a corrected input makes another run
            raise
        except BaseException:
            keep = files.done > 0
            if keep:
                warn(
                    f"The finished part is kept in {workspace}. Run the same command again to resume.",
                    DataWarning,
                )
            raise
        finally:
            if not keep:
                shutil.rmtree(workspace, ignore_errors=True)


@contextmanager
def _locked(workspace: Path, *, output: Path) -> Iterator[None]:
    """Hold the lock of a workspace; the system releases it when the process ends, even if it is killed."""
    lock = FileLock(workspace / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        msg = f"Another run is writing to {output}. Wait until it ends, or choose another output."
        raise OutputError(msg) from error
    except (OSError, NotImplementedError) as error:
        msg = f"{workspace} cannot be locked ({error}). Choose an output on another file system."
        raise OutputError(msg) from error
    try:
        yield
    finally:
        lock.release()
        if not (workspace / _FILES).exists():
            with suppress(OSError):  # only Windows keeps the folder while the lock in it is held
                workspace.rmdir()


def _resume(workspace: Path, *, key: str) -> int:
    """Return how many steps an earlier run has done, its files cut to that.

    0, and its files are deleted, if it had another key or its files are incomplete.
    """
    try:
        progress = json.loads((workspace / _PROGRESS).read_text())
        sizes = {workspace / _FILES / name: size for name, size in progress["sizes"].items()}
        usable = progress["key"] == key and all(file.stat().st_size >= size for file, size in sizes.items())
    except (FileNotFoundError, ValueError, KeyError):
        usable = False
    if not usable:
        (workspace / _PROGRESS).unlink(missing_ok=True)
        shutil.rmtree(workspace / _FILES, ignore_errors=True)
        return 0
    for file, size in sizes.items():
        os.truncate(file, size)
    return int(progress["done"])
