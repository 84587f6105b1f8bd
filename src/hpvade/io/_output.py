"""Outputs that are complete or absent: written beside their place, moved into it at the end."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hpvade._errors import OutputError
from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

# All that hpvade writes into an output folder; --force replaces a folder only if it holds nothing else.
_OWN_FILES = {
    "run.json", "history.csv", "model", "signature.tsv.gz", "fractions.tsv", "fractions_lower.tsv",
    "fractions_upper.tsv", "rna_fractions.tsv", "qc.tsv", "truth.tsv", "accuracy.tsv",
    "report.html", "groups.tsv", "group_tests.tsv", "hpvade_fractions_mqc.json", "hpvade_quality_mqc.json",
}  # fmt: skip

_PREFIX = ".hpvade-"  # of the temporary folders beside an output

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
    final = _resolved(path)
    check_output_file(final, force=force)
    with _workspace(final) as workspace:
        yield workspace / final.name
        (workspace / final.name).replace(final)


@contextmanager
def output_dir(
    path: str | os.PathLike[str], *, force: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``path`` when the block ends without an exception.

    Parameters
    ----------
    path
        The folder to write; missing parent folders are made.
    force
        Whether an existing output may be replaced. Only a folder that holds nothing but what hpvade writes
        is: so ``--force -o ~`` cannot wipe a home.
    inputs
        What is read meanwhile; an output that holds one of them is refused.

    Raises
    ------
    OutputError
        If ``path`` exists and may not be replaced, or if it cannot be written. Nothing partial stays.
    """
    final = _resolved(path)
    if final.exists() and not final.is_dir():
        msg = f"{path} is a file; name a folder to write."
        raise OutputError(msg)
    _refuse_existing(final, force=force)
    for given in inputs:
        if given.resolve().is_relative_to(final):
            msg = f"{path} holds the input {given}, so it is not replaced. Choose another place."
            raise OutputError(msg)
    there = {entry.name for entry in final.iterdir()} if final.is_dir() else set()
    foreign = sorted(there - _OWN_FILES - _files_of_levels(there))
    if foreign:
        msg = (
            f"{path} holds '{foreign[0]}', which hpvade did not write, so it is not replaced. "
            "Choose another place, or empty it yourself."
        )
        raise OutputError(msg)
    with _workspace(final) as workspace, _locked(_lock_of(workspace, final)):
        complete = workspace / final.name
        complete.mkdir()
        yield complete
        _swap(complete, final, workspace=workspace)


class PartialOutput(NamedTuple):
    """An output folder that is not in its place: one that is being written, or what a killed run left."""

    folder: Path
    is_written: bool  # whether the process that writes it lives


def partial_outputs(path: str | os.PathLike[str]) -> list[PartialOutput]:
    """Find what `output_dir` has not moved to ``path`` yet, or never will.

    Parameters
    ----------
    path
        The output, as it was given to `output_dir`.
    """
    final = Path(path).resolve()
    found = []
    for workspace in final.parent.glob(f"{_PREFIX}*"):
        with suppress(PermissionError):  # that of another user in a folder that several share
            if (workspace / final.name).is_dir():
                is_written = _is_locked(_lock_of(workspace, final))
                found.append(PartialOutput(workspace / final.name, is_written))
    return found


def _lock_of(workspace: Path, final: Path) -> Path:
    return workspace / f"{final.name}.lock"


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold a lock, which the system lets go when the process ends, however it ends."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            msg = (
                f"The file system of {lock.parent.parent} has no locks ({error.strerror}), so hpvade monitor "
            )
            warn(msg + "will take this run for one that was killed.", DataWarning)
        yield


def _is_locked(lock: Path) -> bool:
    try:
        with lock.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # the run has ended just now, or the file system has no locks, of which the run warned
        return False
    return False


def _files_of_levels(names: set[str]) -> set[str]:
    """Names among some that are of the levels of a hierarchy: fractions with both their bounds."""
    found = set()
    for name in names:
        level = {name, *(name.replace(".tsv", f"_{side}.tsv") for side in ("lower", "upper"))}
        if re.fullmatch(r"fractions_.+\.tsv", name) and level <= names:
            found |= level
    return found


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
    """Return the whole path of an output, after asking the system once whether such a name can be."""
    final = Path(path).resolve()
    try:
        final.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # nothing is there yet; a file in the way is named when the folder is made
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}. Choose another place."
        raise OutputError(msg) from error
    return final


def check_output_file(path: Path, *, force: bool) -> None:
    """Refuse a file to write that is a folder, or that exists and may not be replaced.

    Raises
    ------
    OutputError
        Saying which of the two.
    """
    if path.is_dir():
        msg = f"{path} is a folder; name a file to write."
        raise OutputError(msg)
    _refuse_existing(path, force=force)


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
        workspace = _make_workspace(final)
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


def _make_workspace(final: Path) -> Path:
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=final.parent))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"{error.strerror}; choose another place")
        msg = f"{final} cannot be written: {reason}. Nothing was left there."
        raise OutputError(msg) from error


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
