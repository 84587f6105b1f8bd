"""A temporary folder, removed when the program ends; if it was killed, the next start removes it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "hpvade-app-"
LOCK = "lock"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that only this user can read; it is always removed afterwards."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    try:
        with FileLock(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove the folders of programs that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not _is_ours(folder):
            continue
        with suppress(Timeout), FileLock(folder / LOCK, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    if sys.platform != "win32" and folder.lstat().st_uid != os.getuid():
        return False
    return not folder.is_symlink() and (folder / LOCK).is_file()
