"""Outputs that are complete or absent: written to a temporary place, then moved to the final one."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from hpvade._errors import InputError, OutputError
from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

WORKSPACE = ".hpvade"  # ending of the folders in which outputs are made
UNFINISHED, PROGRESS = "unfinished", "progress.json"  # in such a folder: what a stopped run keeps
_LOCK, _COMPLETE, _OLDER, _JOURNAL = "lock", "complete", "older", "moved.json"
_MAX_NAME = 255  # bytes of a file name

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another output",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another output",
    errno.EACCES: "permission denied; choose an output that you may write to",
    errno.EPERM: "permission denied; choose an output that you may write to",
    errno.EROFS: "the file system is read-only; choose another output",
    errno.EFBIG: "the file is larger than the system allows; choose another output",
    errno.EIO: "the disk failed; choose another output",
    errno.EBUSY: "it is in use, perhaps as a mount; choose a folder in it",
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
        If ``path`` exists and ``force`` is false, if another run is writing it, or if it cannot be written.
        Nothing partial is left.
    """
    final = _resolved(path)
    check_output_file(final, force=force)
    with _workspace(final, inside=final.parent) as workspace:
        complete = workspace / _COMPLETE / final.name
        complete.parent.mkdir()
        yield complete
        check_output_file(final, force=force)
        complete.replace(final)


@contextmanager
def output_dir(
    path: str | os.PathLike[str],
    *,
    own_files: Callable[[AbstractSet[str]], AbstractSet[str]],
    force: bool = False,
    inputs: Iterable[Path] = (),
) -> Iterator[Path]:
    """Yield a temporary folder whose files are those of ``path`` when the block ends without an exception.

    The output is locked meanwhile. What an earlier run left that was killed is removed, except for what it
    keeps to be resumed.

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
        If ``path`` exists and may not be replaced, if another run is writing it, or if it cannot be written.
        Nothing partial is left.
    """
    place = _Place(_resolved(path), own_files=own_files, force=force, inputs=[*inputs])
    final = place.final
    place.refuse_file()
    with _workspace(final, inside=_where_to_work(final), own_files=own_files) as workspace:
        place.check()
        complete = workspace / _COMPLETE
        complete.mkdir()
        yield complete
        names = sorted(entry.name for entry in complete.iterdir())
        if place.was_taken(names):
            shutil.rmtree(workspace / UNFINISHED, ignore_errors=True)  # nothing is left to resume
            _keep_beside(complete, final)
        if final.is_dir() and not place.is_replaced:
            _move_entries(names, complete, final, workspace=workspace)
        else:
            _swap(complete, final, workspace=workspace)


@dataclass(frozen=True)
class _Place:
    """Where an output folder will be; the parameters are those of `output_dir`."""

    final: Path
    own_files: Callable[[AbstractSet[str]], AbstractSet[str]]
    force: bool
    inputs: Sequence[Path]

    def _present(self) -> set[str]:
        if not self.final.is_dir():
            return set()
        names = {entry.name for entry in self.final.iterdir()}
        return {name for name in names if not is_workspace(name)}

    @property
    def is_replaced(self) -> bool:
        """Whether there is an earlier output, which is replaced; files are added to a folder without one."""
        return bool(self.own_files(self._present()))

    def refuse_file(self) -> None:
        """Refuse a file as the place of a folder."""
        if self.final.exists() and not self.final.is_dir():
            msg = f"{self.final} is a file. Choose a folder for the output."
            raise OutputError(msg)

    def check(self) -> None:
        """Refuse a place that may not be written; errors as for `output_dir`."""
        self.refuse_file()
        if self.is_replaced:
            _refuse_existing(self.final, force=self.force)
            if Path.cwd().is_relative_to(self.final):
                msg = f"{self.final} contains the current folder, so it is not replaced. Run from elsewhere."
                raise OutputError(msg)
            self._check_others()
        for given in map(real_path, self.inputs):
            if given.is_dir() and self.final.is_relative_to(given):
                msg = f"{self.final} is inside the input {given}. Choose another output folder."
                raise OutputError(msg)
            if self.is_replaced and given.is_relative_to(self.final):
                msg = (
                    f"{self.final} contains the input {given}, so it is not replaced. Choose another output "
                    "folder."
                )
                raise OutputError(msg)

    def _check_others(self) -> None:
        present = self._present()
        if others := sorted(present - self.own_files(present)):
            msg = (
                f"{self.final} contains '{others[0]}', which hpvade did not write, so it is not replaced. "
                "Choose another output folder, or empty this one yourself."
            )
            raise OutputError(msg)

    def was_taken(self, names: Iterable[str]) -> bool:
        """Whether something that would be overwritten appeared during the run; ``names``: what is written."""
        try:
            self.check()
        except OutputError:
            return True
        return not self.is_replaced and any((self.final / name).exists() for name in names)


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


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without links; a loop of links stays, and is reported where it is opened."""
    return Path(os.path.realpath(path))


def _resolved(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an output, after checking that the system accepts such a name."""
    final = real_path(path)
    if not final.name:
        msg = f"{path} is the root of the file system. Choose a folder in it for the output."
        raise OutputError(msg)
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


def workspace_name(final: Path) -> str:
    """Return the name of the folder in which a run works on an output, beside it or in it."""
    name = os.fsencode(final.name)
    fits = len(name) + len(WORKSPACE) < _MAX_NAME
    return f".{final.name if fits else hashlib.sha256(name).hexdigest()}{WORKSPACE}"


def is_workspace(name: str) -> bool:
    """Whether a name is that of a folder in which a run works."""
    return name.startswith(".") and name.endswith(WORKSPACE)


def _where_to_work(final: Path) -> Path:
    """Return the folder for a workspace: beside an output, or in it if files cannot be moved from there."""
    parent = final.parent
    if not final.is_dir() or (os.access(parent, os.W_OK) and final.stat().st_dev == parent.stat().st_dev):
        return parent
    return final


@contextmanager
def _workspace(
    final: Path,
    *,
    inside: Path,
    own_files: Callable[[AbstractSet[str]], AbstractSet[str]] = frozenset[str]().intersection,
) -> Iterator[Path]:
    """Yield a folder for an output, locked; afterwards it is deleted, except for what can be resumed."""
    created = [parent for parent in final.parents if not parent.exists()]  # the deepest first
    above = next((parent for parent in final.parents if parent.exists()), final)
    if not above.is_dir():
        msg = f"{final} cannot be written: {above} is a file, not a folder. Choose another output."
        raise OutputError(msg)
    workspace = inside / workspace_name(final)
    done = False
    try:
        with _locked(workspace, final=final):
            _roll_back(workspace, final, own_files=own_files)
            try:
                yield workspace
                done = True
            finally:
                if not done:  # perhaps in the middle of a move
                    _roll_back(workspace, final, own_files=own_files)
                _end(workspace, done=done)
    except (OSError, RuntimeError) as error:
        reason = _reason(error)
        if not reason or not _is_about(error, above):
            raise
        left = f"The finished part is kept in {workspace}." if workspace.exists() else "Nothing was written."
        msg = f"{final} cannot be written: {reason}. {left}"
        raise OutputError(msg) from error
    finally:
        for parent in [] if done else created:
            with suppress(OSError):  # a folder that is used by now stays
                parent.rmdir()


def _end(workspace: Path, *, done: bool) -> None:
    """Delete a workspace; if the run was stopped, keep what can be resumed, and say so."""
    error = sys.exception()
    other_input = isinstance(error, InputError) and not isinstance(error, OutputError)  # makes another run
    if done or other_input or not (workspace / UNFINISHED / PROGRESS).exists():
        shutil.rmtree(workspace, ignore_errors=True)  # with the lock in it, which is held until here
        return
    warn(
        f"The finished part is kept in {workspace}. Run the same command again to resume.",
        DataWarning,
    )


def _remove(folder: Path, *, keep: AbstractSet[str]) -> None:
    """Delete what is in a folder."""
    for entry in folder.iterdir():
        if entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


@contextmanager
def _locked(workspace: Path, *, final: Path) -> Iterator[None]:
    """Create a workspace and lock it; the system releases the lock when the process ends, even if killed."""
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        lock = FileLock(workspace / _LOCK, timeout=0)
        lock.acquire()
        workspace.mkdir(exist_ok=True)  # a run that just ended may have deleted it
    except Timeout as error:
        msg = f"Another run is writing to {final}. Wait until it ends, or choose another output."
        raise OutputError(msg) from error
    except NotImplementedError as error:
        msg = f"{workspace} cannot be locked ({error}). Choose an output on another file system."
        raise OutputError(msg) from error
    except OSError as error:
        with suppress(OSError):
            workspace.rmdir()
        reason = _reason(error) or f"{error.strerror}; choose another output"
        msg = f"{final} cannot be written: {reason}. Nothing was written."
        raise OutputError(msg) from error
    try:
        yield
    finally:
        lock.release()
        if sys.platform == "win32" and not (workspace / UNFINISHED).exists():  # it keeps a lock that is held
            shutil.rmtree(workspace, ignore_errors=True)


def _reason(error: Exception) -> str:
    """Say why nothing can be written; empty if it is something else. HDF5 gives the reason as text only."""
    number = getattr(error, "errno", None)
    if number in _REASONS:
        return _REASONS[number]
    texts = {os.strerror(code): reason for code, reason in _REASONS.items()}
    return next((reason for text, reason in texts.items() if text in str(error)), "")


def _is_about(error: Exception, folder: Path) -> bool:
    """Whether the error concerns the folder, and not, for instance, an unreadable input."""
    named = getattr(error, "filename", None)
    return named is None or str(named).startswith(str(folder))


def _swap(complete: Path, final: Path, *, workspace: Path) -> None:
    """Move ``complete`` to ``final``; if that fails, `_roll_back` puts an older folder back."""
    if final.exists():
        final.replace(workspace / _OLDER)
    complete.replace(final)


def _move_entries(names: Sequence[str], complete: Path, final: Path, *, workspace: Path) -> None:
    """Move what is in ``complete`` into ``final``; a journal tells a later run what to undo after a kill."""
    journal = workspace / _JOURNAL
    journal.write_text(json.dumps(names))
    for name in names:
        (complete / name).replace(final / name)
    journal.unlink()


def _roll_back(
    workspace: Path, final: Path, *, own_files: Callable[[AbstractSet[str]], AbstractSet[str]]
) -> None:
    """Undo a move that was not finished, and delete what a run left except for what can be resumed."""
    if (older := workspace / _OLDER).exists() and not final.exists():
        older.replace(final)
    if (journal := workspace / _JOURNAL).exists():
        for name in _own_names(journal, own_files=own_files):
            entry = final / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
    _remove(workspace, keep={_LOCK, UNFINISHED})


def _own_names(
    journal: Path, *, own_files: Callable[[AbstractSet[str]], AbstractSet[str]]
) -> AbstractSet[str]:
    """Read the names in a journal that are names of files of ours: anybody may have written the journal."""
    try:
        names = json.loads(journal.read_text())
        return own_files({name for name in names if name == Path(name).name})
    except (ValueError, TypeError):  # killed before it was written
        return set()


def _keep_beside(complete: Path, final: Path) -> None:
    """Keep an output whose place was taken during the run.

    Raises
    ------
    OutputError
        Always; says where it is.
    """
    names = (final.with_name(f"{final.name}-{number}") for number in itertools.count(2))
    other = next(name for name in names if not name.exists())
    complete.replace(other)
    msg = f"{final} changed during the run, so it stays as it is. The results are in {other}."
    raise OutputError(msg)
