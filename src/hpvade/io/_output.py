"""Outputs that are complete or absent: written beside their place, moved into it at the end."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._errors import OutputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

# A folder with one of these was written by hpvade, so that --force may replace it.
_MARKERS = ("run.json", "provenance.json", "config.json", "history.csv", "fractions.tsv")

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another place",
    errno.EACCES: "permission denied; choose a place you may write to",
    errno.EPERM: "permission denied; choose a place you may write to",
    errno.EROFS: "the file system is read-only; choose another place",
}


@contextmanager
def output_file(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary file name that becomes ``path`` when the block ends without an exception.

    Parameters
    ----------
    path
        The file to write; missing parent folders are made.
    force
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If ``path`` exists and ``force`` is false, or if it cannot be written. Nothing partial stays.
    """
    final = Path(path).resolve()
    if final.is_dir():
        msg = f"{path} is a folder; name a file to write."
        raise OutputError(msg)
    _refuse_existing(final, force=force)
    with _workspace(final) as workspace:
        yield workspace / final.name
        (workspace / final.name).replace(final)


@contextmanager
def output_dir(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``path`` when the block ends without an exception.

    Parameters
    ----------
    path
        The folder to write; missing parent folders are made.
    force
        Whether an existing output may be replaced. Only an empty folder, or one that hpvade wrote, is:
        so ``--force -o ~`` cannot wipe a home.

    Raises
    ------
    OutputError
        If ``path`` exists and may not be replaced, or if it cannot be written. Nothing partial stays.
    """
    final = Path(path).resolve()
    if final.exists() and not final.is_dir():
        msg = f"{path} is a file; name a folder to write."
        raise OutputError(msg)
    _refuse_existing(final, force=force)
    if final.is_dir() and any(final.iterdir()) and not any((final / name).exists() for name in _MARKERS):
        msg = (
            f"{path} holds files that hpvade did not write, so it is not replaced. "
            "Choose another place, or empty it yourself."
        )
        raise OutputError(msg)
    with _workspace(final) as workspace:
        complete = workspace / final.name
        complete.mkdir()
        yield complete
        _swap(complete, final, workspace=workspace)


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, or of a folder's sorted relative paths and their contents."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return digest.hexdigest()


def _refuse_existing(final: Path, *, force: bool) -> None:
    if final.exists() and not force:
        msg = f"{final} exists. Pass --force to replace it."
        raise OutputError(msg)


@contextmanager
def _workspace(final: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``final``; it is gone afterwards, whatever happens."""
    made = [parent for parent in final.parents if not parent.exists()]  # the deepest first
    above = next(parent for parent in final.parents if parent.exists())
    if not above.is_dir():
        msg = f"{final} cannot be written: {above} is a file, not a folder. Choose another place."
        raise OutputError(msg)
    workspace = None
    done = False
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=".hpvade-", dir=final.parent))
        yield workspace
        done = True
    except OSError as error:
        if error.errno not in _REASONS or not _is_about(error, above):
            raise
        msg = f"{final} cannot be written: {_REASONS[error.errno]}. Nothing partial was left."
        raise OutputError(msg) from error
    finally:
        if workspace is not None:
            shutil.rmtree(workspace, ignore_errors=True)
        for parent in [] if done else made:
            with suppress(OSError):  # a folder that others have used meanwhile stays
                parent.rmdir()


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether the error concerns the folder, and not, for instance, an input that may not be read."""
    return error.filename is None or str(error.filename).startswith(str(folder))


def _swap(complete: Path, final: Path, *, workspace: Path) -> None:
    """Move ``complete`` to ``final``; an older folder there is put back if that fails."""
    older = workspace / f"{final.name}.older"
    if final.exists():
        final.replace(older)
    try:
        complete.replace(final)
    except OSError:
        if older.exists():
            older.replace(final)
        raise
