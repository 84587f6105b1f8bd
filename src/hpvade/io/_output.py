"""Outputs that are complete or absent: written to a temporary place, then moved to the final one."""

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
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

_PREFIX = ".hpvade-"  # of the temporary folders beside an output

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another output",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another output",
    errno.EACCES: "permission denied; choose an output that you may write to",
    errno.EPERM: "permission denied; choose an output that you may write to",
    errno.EROFS: "the file system is read-only; choose another output",
}


@contextmanager
def output_file(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary file name that becomes ``path`` when the block ends without an exception.

    Parameters
    ----------
    path
        The file to write; missing parent folders are created.
    force
        Whether to replace an existing file.

    Raises
    ------
    OutputError
        If ``path`` exists and ``force`` is false, or if it cannot be written. Nothing partial is left.
    """
    final = _resolved(path)
    check_output_file(final, force=force)
    with _workspace(final, inside=final.parent) as workspace:
        yield workspace / final.name
        (workspace / final.name).replace(final)


@contextmanager
def output_dir(
    path: str | os.PathLike[str],
    *,
    own_files: Callable[[AbstractSet[str]], AbstractSet[str]],
    force: bool = False,
    inputs: Iterable[Path] = (),
) -> Iterator[Path]:
    """Yield a temporary folder whose files are those of ``path`` when the block ends without an exception.

    Parameters
    ----------
    path
        The folder to write; missing parent folders are created. If it exists and holds none of
        ``own_files``, files are added to it, and the others stay.
    own_files
        Returns which of these file names hpvade writes into such a folder.
    force
        Whether to replace an existing output, which must contain nothing but ``own_files``: ``--force -o ~``
        cannot delete a home directory.
    inputs
        Files and folders that are read meanwhile; an output that contains one of them is not replaced.

    Raises
    ------
    OutputError
        If ``path`` exists and may not be replaced, or if it cannot be written. Nothing partial is left.
    """
    final = _resolved(path)
    if final.exists() and not final.is_dir():
        msg = f"{path} is a file. Choose a folder for the output."
        raise OutputError(msg)
    if is_added_to(final, own_files=own_files):
        with _workspace(final, inside=final) as workspace:
            yield workspace
            for entry in sorted(workspace.iterdir()):
                entry.replace(final / entry.name)
        return
    _refuse_existing(final, force=force)
    for given in inputs:
        if given.resolve().is_relative_to(final):
            msg = f"{path} contains the input {given}, so it is not replaced. Choose another output folder."
            raise OutputError(msg)
    present = {entry.name for entry in final.iterdir()} if final.is_dir() else set()
    others = sorted(present - own_files(present))
    if others:
        msg = (
            f"{path} contains '{others[0]}', which hpvade did not write, so it is not replaced. "
            "Choose another output folder, or empty this one yourself."
        )
        raise OutputError(msg)
    with _workspace(final, inside=final.parent) as workspace:
        complete = workspace / final.name
        complete.mkdir()
        yield complete
        _swap(complete, final, workspace=workspace)


def is_added_to(folder: Path, *, own_files: Callable[[AbstractSet[str]], AbstractSet[str]]) -> bool:
    """Tell whether an output is added to a folder: it exists and holds none of our files."""
    return folder.is_dir() and not own_files({entry.name for entry in folder.iterdir()})


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


def _resolved(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an output, after checking that the system accepts such a name."""
    final = Path(path).resolve()
    try:
        final.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # it does not exist yet; a parent that is a file is reported when the folder is created
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}. Choose another output."
        raise OutputError(msg) from error
    return final


def check_output_file(path: Path, *, force: bool) -> None:
    """Refuse to write a file if it is a folder, or exists and may not be replaced.

    Raises
    ------
    OutputError
        If it is refused; says why.
    """
    if path.is_dir():
        msg = f"{path} is a folder. Choose a file name for the output."
        raise OutputError(msg)
    _refuse_existing(path, force=force)


def _refuse_existing(final: Path, *, force: bool) -> None:
    if final.exists() and not force:
        msg = f"{final} exists. Pass --force to replace it."
        raise OutputError(msg)


@contextmanager
def _workspace(final: Path, *, inside: Path) -> Iterator[Path]:
    """Yield a temporary folder for an output; it is always deleted afterwards."""
    created = [parent for parent in final.parents if not parent.exists()]  # the deepest first
    above = next(parent for parent in final.parents if parent.exists())
    if not above.is_dir():
        msg = f"{final} cannot be written: {above} is a file, not a folder. Choose another output."
        raise OutputError(msg)
    workspace = None
    done = False
    try:
        workspace = _make_workspace(final, inside=inside)
        yield workspace
        done = True
    except OSError as error:
        if error.errno not in _REASONS or not _is_about(error, above):
            raise
        msg = f"{final} cannot be written: {_REASONS[error.errno]}. Nothing was written."
        raise OutputError(msg) from error
    finally:
        if workspace is not None:
            shutil.rmtree(workspace, ignore_errors=True)
        for parent in [] if done else created:
            with suppress(OSError):  # a folder that is used by now stays
                parent.rmdir()


def _make_workspace(final: Path, *, inside: Path) -> Path:
    try:
        inside.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=inside))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"{error.strerror}; choose another output")
        msg = f"{final} cannot be written: {reason}. Nothing was written."
        raise OutputError(msg) from error


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether the error concerns the folder, and not, for instance, an unreadable input."""
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
