"""A temporary folder that is gone when the program ends, or, if that was killed, when it starts again."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "hpvade-app-"
_LOCK = "lock"


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield a folder that only this user can read; whatever happens, it is gone afterwards."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove the folders of programs that were killed: their locks are free."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        told = folder.lstat()
        lock = folder / _LOCK
        if folder.is_symlink() or told.st_uid != os.getuid() or not lock.is_file():
            continue
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # its program is running
                continue
            shutil.rmtree(folder, ignore_errors=True)
