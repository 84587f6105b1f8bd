"""What may be in an uploaded HDF5 or zip file; looked at in a process of its own, before anything is read."""

from __future__ import annotations

import resource
import shutil
import signal
import stat
import sys
import zipfile
import zlib
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import h5py

from hpvade._errors import HPVADEError
from hpvade._process import in_own_process
from hpvade.app._request_error import RequestError
from hpvade.app._text import refuse_bomb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODEL_FILES = ("weights.safetensors", "config.json", "genes.tsv", "provenance.json", "heldout.tsv")
_NEEDED = MODEL_FILES[:4]
_MOST_OBJECTS, _DEEPEST = 20_000, 40  # of an HDF5 file
_MOST_ENTRIES = 1_000  # of a zip file
_SECONDS, _MEMORY = 60, 4 * 1024**3  # that looking may take; bytes
_FOREIGN_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, MemoryError)


def look_at(check: Callable[..., None], path: Path, **settings: object) -> None:
    """Call `check_h5ad` or `unpack_model` where a file that breaks a library breaks nothing else.

    Raises
    ------
    RequestError
        What the check found; or it ended without an answer, or took too long.
    """
    try:
        in_own_process(_limited, check, path, **settings)
    except RequestError:
        raise
    except HPVADEError as error:
        msg = f"The file could not be looked at, so it was not taken. {error}"
        raise RequestError(msg, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE) from error


def _limited(check: Callable[..., None], path: Path, **settings: object) -> None:
    signal.alarm(_SECONDS)
    if sys.platform == "linux":  # others do not keep to it
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    check(path, **settings)


def check_h5ad(path: Path, *, name: str, most_bytes: int, dense: bool) -> None:
    """Walk through an HDF5 file without reading values.

    Parameters
    ----------
    path, name
        The file, and what it is called.
    most_bytes
        How much all its arrays may hold together.
    dense
        Whether sparse matrices will be read as whole tables, and count as such.

    Raises
    ------
    RequestError
        It points to other files, holds itself, claims too much, or is no such file.
    """
    walk = _Walk(name, dense=dense)
    try:
        with h5py.File(path, "r") as file:
            walk.group(file)
    except RequestError:
        raise
    except _FOREIGN_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"'{name}' cannot be read as an h5ad file ({reason}). Fetch or export it again."
        raise _unusable(msg) from error
    refuse_bomb(name, packed=path.stat().st_size, unpacked=walk.claimed, most_bytes=most_bytes)


class _Walk:
    """Goes through groups and adds up what their arrays claim to hold."""

    def __init__(self, name: str, *, dense: bool) -> None:
        self.name, self.dense = name, dense
        self.claimed = self.n_objects = 0

    def group(self, group: h5py.Group, depth: int = 0) -> None:
        if depth > _DEEPEST:
            what = "a group that holds itself, or groups too deep in each other"
            raise self._refused(what)
        if self.dense and "matrix" in str(group.attrs.get("encoding-type", "")):
            rows, columns = (int(n) for n in group.attrs["shape"])
            self.claimed += rows * columns * 8
        for key in group:
            self.n_objects += 1
            if self.n_objects > _MOST_OBJECTS:
                what = f"more than {_MOST_OBJECTS} parts"
                raise self._refused(what)
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                what = "a link to another file"
                raise self._refused(what)
            if isinstance(link, h5py.HardLink):  # what a soft link names is met at its own place
                thing = group[key]
                if isinstance(thing, h5py.Group):
                    self.group(thing, depth + 1)
                elif isinstance(thing, h5py.Dataset):
                    self.dataset(thing)

    def dataset(self, dataset: h5py.Dataset) -> None:
        if dataset.is_virtual or dataset.external:
            what = "an array whose values are in another file"
            raise self._refused(what)
        self.claimed += (dataset.size or 0) * dataset.dtype.itemsize

    def _refused(self, what: str) -> RequestError:
        return _unusable(
            f"'{self.name}' has {what}, so it was not taken. Read it and write it anew with anndata."
        )


def unpack_model(path: Path, *, name: str, most_bytes: int, folder: Path) -> None:
    """Take the files of a model out of a zip file, and nothing else.

    Parameters
    ----------
    path, name
        The zip file, and what it is called.
    most_bytes
        How much the files may hold together.
    folder
        Where they are written, by their own names; it must not exist.

    Raises
    ------
    RequestError
        The zip file holds no model or several, has entries that lead out of it, claims too much, or is
        damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive.infolist(), name=name)
            declared = sum(info.file_size for info in members.values())
            refuse_bomb(name, packed=path.stat().st_size, unpacked=declared, most_bytes=most_bytes)
            folder.mkdir()
            for file, info in members.items():
                with archive.open(info) as source, (folder / file).open("xb") as target:
                    shutil.copyfileobj(source, target)  # not more than declared: zipfile sees to that
    except RequestError:
        raise
    except (*_FOREIGN_ERRORS, zipfile.BadZipFile, zlib.error) as error:
        msg = f"'{name}' cannot be unpacked ({error}). Zip the model's folder again."
        raise _unusable(msg) from error


def _members(entries: list[zipfile.ZipInfo], *, name: str) -> dict[str, zipfile.ZipInfo]:
    """Find the entries of the model, by their base names."""
    if len(entries) > _MOST_ENTRIES:
        msg = f"'{name}' has {len(entries)} entries. Zip only the model's folder."
        raise _unusable(msg)
    for entry in entries:
        if _leads_out(entry):
            msg = f"'{name}' has the entry '{entry.filename}', which leads out of it, so it was not taken."
            raise _unusable(msg)
    paths = [PurePosixPath(entry.filename) for entry in entries]
    folders = {path.parent for path in paths if path.name == "config.json"}
    if len(folders) != 1:
        msg = (
            f"'{name}' holds {len(folders)} models; expected one: a folder with {', '.join(_NEEDED)}, as "
            "hpvade train and hpvade run write it."
        )
        raise _unusable(msg)
    members = {
        path.name: entry
        for path, entry in zip(paths, entries, strict=True)
        if path.parent in folders and path.name in MODEL_FILES
    }
    if missing := [file for file in _NEEDED if file not in members]:
        msg = f"'{name}' is not a whole model: {', '.join(missing)} is missing. Zip it again."
        raise _unusable(msg)
    return members


def _leads_out(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    return (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in entry.filename
        or ":" in entry.filename.split("/")[0]
        or stat.S_ISLNK(entry.external_attr >> 16)
    )


def _unusable(message: str) -> RequestError:
    return RequestError(message, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
