"""Checks of uploaded files, before any of them is read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import signal
import stat
import sys
import zipfile
import zlib
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import h5py

from hpvade._errors import HPVADEError
from hpvade._process import in_own_process
from hpvade.app._formatting import format_size
from hpvade.app._request_error import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODEL_FILES = ("weights.safetensors", "config.json", "genes.tsv", "validation.tsv", "provenance.json")
_MAX_OBJECTS, _MAX_DEPTH = 20_000, 40  # of an HDF5 file
_MAX_ENTRIES = 1_000  # of a zip file
_MAX_SECONDS, _MAX_MEMORY = 60, 4 * 1024**3  # of a check in its own process; bytes
_FOREIGN_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, MemoryError)

_PIECE = 1024 * 1024  # bytes that are unpacked at a time
_SEPARATORS = b"\t,; "
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r"))
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # its letters are pairs of a zero and a character
_UNPACKERS: Final[dict[bytes, Callable[[Path], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}

# Compression makes expression tables 5 to 10 times smaller, sparse ones 50 times, a bomb 1,000 times.
_MAX_RATIO = 100
_ALWAYS_ALLOWED = 64 * 1024 * 1024  # bytes that any file may unpack to


def check_upload(path: Path, *, name: str, max_bytes: int, dense: bool) -> None:
    """Check a file that was uploaded; a zip file with a model is replaced by the folder ``model``.

    Parameters
    ----------
    path, name
        The file, and its name in messages.
    max_bytes
        Maximum size when unpacked.
    dense
        Whether sparse matrices will be read as dense tables, and count as such.

    Raises
    ------
    RequestError
        The content is not what the ending of ``path`` says, or unpacks to too much.
    """
    if path.suffix in {".h5ad", ".h5mu", ".h5"}:
        _check_start(path, b"\x89HDF\r\n\x1a\n", name=name, kind="an HDF5 file")
        check_in_own_process(check_h5ad, path, name=name, max_bytes=max_bytes, dense=dense)
    elif path.suffix == ".zip":
        _check_start(path, b"PK\x03\x04", name=name, kind="a zip file")
        folder = path.with_name("model")
        check_in_own_process(unpack_model, path, name=name, max_bytes=max_bytes, folder=folder)
        path.unlink()
    elif path.suffix in {".xlsx", ".xlsm"}:
        _check_start(path, b"PK\x03\x04", name=name, kind="an Excel workbook")
        check_in_own_process(check_workbook, path, name=name, max_bytes=max_bytes)
    elif path.suffix == ".parquet":
        _check_start(path, b"PAR1", name=name, kind="a Parquet file")
        check_in_own_process(check_parquet, path, name=name, max_bytes=max_bytes)
    else:
        check_table(path, name=name, max_bytes=max_bytes)


def check_table(path: Path, *, name: str, max_bytes: int) -> None:
    """Check that a file is a text table. It may be compressed, whatever its name; it is unpacked in pieces.

    Parameters
    ----------
    path, name
        The file, and its name in messages.
    max_bytes
        Maximum size when unpacked.

    Raises
    ------
    RequestError
        It is not a text table, is damaged, or unpacks to too much.
    """
    size, unpacked, start = path.stat().st_size, 0, b""
    with path.open("rb") as stored:
        first = stored.read(6)
    unpack = next((opener for signature, opener in _UNPACKERS.items() if first.startswith(signature)), None)
    try:
        with path.open("rb") if unpack is None else unpack(path) as file:
            while piece := file.read(_PIECE):
                start = start or piece
                unpacked += len(piece)
                _refuse_bomb(name, packed=size, unpacked=unpacked, max_bytes=max_bytes)
                control = _CONTROL.lstrip(b"\0") if start.startswith(_UTF_16) else _CONTROL
                if len(piece.translate(None, control)) < len(piece):
                    raise _wrong_kind(name, start, kind="a text table")
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        msg = f"'{name}' cannot be unpacked ({error}). Download or export it again."
        raise _unusable(msg) from error
    header = next((line for line in start.splitlines() if not line.startswith(b"#")), b"")
    if not any(separator in header for separator in _SEPARATORS):
        msg = (
            f"'{name}' is not a table: its first line has one column. Expected names in the first row and "
            "the first column, separated by tabs, commas or semicolons."
        )
        raise _unusable(msg)


def _check_start(path: Path, expected: bytes, *, name: str, kind: str) -> None:
    with path.open("rb") as file:
        start = file.read(len(expected))
    if start != expected:
        raise _wrong_kind(name, start, kind=kind)


def _wrong_kind(name: str, start: bytes, *, kind: str) -> RequestError:
    """Report what a file is instead, as far as its first bytes show."""
    found = "its content has another format"
    for beginning, description in {
        b"\x80": "it looks like a Python pickle, which can contain a program; hpvade never opens these",
        b"\x89HDF": "it is an HDF5 file; if it is an AnnData file, give it the ending .h5ad",
        b"PK\x03\x04": "it is a zip file, or an Excel workbook that lacks the ending .xlsx",
    }.items():
        if start.startswith(beginning):
            found = description
    return _unusable(f"'{name}' is not {kind}: {found}.")


def _refuse_bomb(name: str, *, packed: int, unpacked: int, max_bytes: int) -> None:
    """Refuse a file that unpacks, or declares that it unpacks, to far more than its size."""
    if unpacked > max_bytes or unpacked > max(_ALWAYS_ALLOWED, _MAX_RATIO * packed):
        msg = (
            f"'{name}' ({format_size(packed)}) would unpack to {format_size(unpacked)} or more. If that is "
            "correct, move the file to the --data folder and select it there."
        )
        raise RequestError(msg, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def check_in_own_process(check: Callable[..., None], path: Path, **settings: object) -> None:
    """Call `check_h5ad` or `unpack_model` in a process of its own: a file may crash the library.

    Raises
    ------
    RequestError
        What the check found; or its process crashed or took too long.
    """
    try:
        in_own_process(_limited, check, path, **settings)
    except RequestError:
        raise
    except HPVADEError as error:
        msg = f"The file could not be checked, so it was refused. {error}"
        raise _unusable(msg) from error


def _limited(check: Callable[..., None], path: Path, **settings: object) -> None:
    if sys.platform != "win32":
        signal.alarm(_MAX_SECONDS)
    if sys.platform == "linux":  # other systems ignore the limit
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    check(path, **settings)


def check_h5ad(path: Path, *, name: str, max_bytes: int, dense: bool) -> None:
    """Check the structure of an HDF5 file without reading values.

    Parameters
    ----------
    path, name
        The file, and its name in messages.
    max_bytes
        Maximum total size of its arrays.
    dense
        Whether sparse matrices will be read as dense tables, and count as such.

    Raises
    ------
    RequestError
        It refers to other files, contains itself, declares too much, or is not an HDF5 file.
    """
    walk = _Walk(name, dense=dense)
    try:
        with h5py.File(path, "r") as file:
            walk.group(file)
    except RequestError:
        raise
    except _FOREIGN_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"'{name}' cannot be read as an HDF5 file ({reason}). Download or export it again."
        raise _unusable(msg) from error
    _refuse_bomb(name, packed=path.stat().st_size, unpacked=walk.declared, max_bytes=max_bytes)


def check_workbook(path: Path, *, name: str, max_bytes: int) -> None:
    """Check the files in an Excel workbook without unpacking them.

    Parameters
    ----------
    path, name
        The file, and its name in messages.
    max_bytes
        Maximum total size of its files; openpyxl reads no more than they declare.

    Raises
    ------
    RequestError
        It declares too much, or is not a workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (*_FOREIGN_ERRORS, zipfile.BadZipFile) as error:
        msg = f"'{name}' cannot be read as an Excel workbook ({error}). Save it again, or as CSV."
        raise _unusable(msg) from error
    if len(entries) > _MAX_ENTRIES or "xl/workbook.xml" not in {entry.filename for entry in entries}:
        msg = f"'{name}' is not an Excel workbook. Save the table as .xlsx or CSV."
        raise _unusable(msg)
    declared = sum(entry.file_size for entry in entries)
    _refuse_bomb(name, packed=path.stat().st_size, unpacked=declared, max_bytes=max_bytes)


def check_parquet(path: Path, *, name: str, max_bytes: int) -> None:
    """Check the size of a Parquet file without reading values.

    Parameters
    ----------
    path, name
        The file, and its name in messages.
    max_bytes
        Maximum size of its table.

    Raises
    ------
    RequestError
        It declares too much, is damaged, or pyarrow is not installed.
    """
    try:
        from pyarrow import parquet  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        msg = f"'{name}' is a Parquet file, which needs pyarrow: pip install 'hp-vade[parquet]'."
        raise _unusable(msg) from error
    try:
        found = parquet.read_metadata(path)
    except _FOREIGN_ERRORS as error:
        msg = f"'{name}' cannot be read as a Parquet file ({error}). Export it again."
        raise _unusable(msg) from error
    declared = max(
        found.num_rows * found.num_columns * 8,
        sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups)),
    )
    _refuse_bomb(name, packed=path.stat().st_size, unpacked=declared, max_bytes=max_bytes)


class _Walk:
    """Visits all groups and adds up the declared size of their arrays, bytes."""

    def __init__(self, name: str, *, dense: bool) -> None:
        self.name, self.dense = name, dense
        self.declared = self.n_objects = 0

    def group(self, group: h5py.Group, depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            what = "a group that contains itself, or too many nested groups"
            raise self._refused(what)
        if self.dense and "matrix" in str(group.attrs.get("encoding-type", "")):
            rows, columns = (int(n) for n in group.attrs["shape"])
            self.declared += rows * columns * 8
        for key in group:
            self.n_objects += 1
            if self.n_objects > _MAX_OBJECTS:
                what = f"more than {_MAX_OBJECTS:,} objects"
                raise self._refused(what)
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                what = "a link to another file"
                raise self._refused(what)
            if isinstance(link, h5py.HardLink):  # the target of a soft link is visited at its own place
                item = group[key]
                if isinstance(item, h5py.Group):
                    self.group(item, depth + 1)
                elif isinstance(item, h5py.Dataset):
                    self.dataset(item)

    def dataset(self, dataset: h5py.Dataset) -> None:
        if dataset.is_virtual or dataset.external:
            what = "an array with values in another file"
            raise self._refused(what)
        self.declared += (dataset.size or 0) * dataset.dtype.itemsize

    def _refused(self, what: str) -> RequestError:
        return _unusable(f"'{self.name}' has {what}. Read it with anndata and write it again.")


def unpack_model(path: Path, *, name: str, max_bytes: int, folder: Path) -> None:
    """Unpack the files of a model from a zip file, and nothing else.

    Parameters
    ----------
    path, name
        The zip file, and its name in messages.
    max_bytes
        Maximum total size of the files.
    folder
        A new folder for them; they keep their base names.

    Raises
    ------
    RequestError
        The zip file has no model or several, has entries outside its own folder, declares too much, or is
        damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive.infolist(), name=name)
            declared = sum(info.file_size for info in members.values())
            _refuse_bomb(name, packed=path.stat().st_size, unpacked=declared, max_bytes=max_bytes)
            folder.mkdir()
            for file, info in members.items():
                with archive.open(info) as source, (folder / file).open("xb") as target:
                    shutil.copyfileobj(source, target)  # zipfile stops at the declared size
    except RequestError:
        raise
    except (*_FOREIGN_ERRORS, zipfile.BadZipFile, zlib.error) as error:
        msg = f"'{name}' cannot be unpacked ({error}). Zip the model's folder again."
        raise _unusable(msg) from error


def _members(entries: list[zipfile.ZipInfo], *, name: str) -> dict[str, zipfile.ZipInfo]:
    """Find the entries of the model, by their base names."""
    if len(entries) > _MAX_ENTRIES:
        msg = f"'{name}' has {len(entries):,} entries. Zip only the model's folder."
        raise _unusable(msg)
    for entry in entries:
        if _is_outside(entry):
            msg = f"'{name}' has the entry '{entry.filename}', which is outside the zip file's own folder."
            raise _unusable(msg)
    paths = [PurePosixPath(entry.filename) for entry in entries]
    folders = {path.parent for path in paths if path.name == "config.json"}
    if len(folders) != 1:
        msg = (
            f"'{name}' has {len(folders)} models; expected one: a folder with {', '.join(MODEL_FILES)}, as "
            "written by hpvade train and hpvade run."
        )
        raise _unusable(msg)
    members = {
        path.name: entry
        for path, entry in zip(paths, entries, strict=True)
        if path.parent in folders and path.name in MODEL_FILES
    }
    if missing := [file for file in MODEL_FILES if file not in members]:
        msg = (
            f"'{name}' is not a complete model of this version of hpvade. Missing: {', '.join(missing)}. Zip "
            "the whole folder that hpvade train wrote; if an earlier version wrote it, train the model again."
        )
        raise _unusable(msg)
    return members


def _is_outside(entry: zipfile.ZipInfo) -> bool:
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
