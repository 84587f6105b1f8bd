"""Opening files; whatever the readers of other libraries raise becomes one clear `FileFormatError`."""

from __future__ import annotations

import lzma
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py

from hpvade._errors import FileFormatError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

# What h5py, zarr, anndata, pandas, gzip, lzma, zipfile and scipy.io raise for files that are truncated or in
# another format.
_READER_ERRORS = (
    *(OSError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)

_ZARR_MARKERS = ("zarr.json", ".zgroup", ".zattrs")


@contextmanager
def ignore_anndata_warnings() -> Iterator[None]:
    """Silence two warnings of anndata: older files are fine, and hpvade reports repeated names itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")
        warnings.filterwarnings("ignore", category=ad.OldFormatWarning)
        yield


@contextmanager
def reader_errors(path: Path, *, expected: str) -> Iterator[None]:
    """Run a reader of another library; what it raises becomes a `FileFormatError` about ``path``.

    Parameters
    ----------
    path
        The file or folder that is read; must exist.
    expected
        What it should be, for instance ``"an h5ad file"``.

    Raises
    ------
    FileFormatError
        If ``path`` does not exist, or the reader failed.
    """
    if not path.exists():
        msg = f"{path} does not exist; expected {expected}. Check the path."
        raise FileFormatError(msg)
    try:
        with ignore_anndata_warnings():
            yield
    except InputError:
        raise
    except _READER_ERRORS as error:
        if path.is_file() and _is_utf16(path):
            msg = f"{path} is UTF-16 text, like Excel's 'Unicode text'. Save it as UTF-8 (CSV UTF-8)."
            raise FileFormatError(msg) from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        msg = (
            f"{path} cannot be read as {expected} ({reason}). It may be truncated or in another format. "
            "Download or export it again."
        )
        raise FileFormatError(msg) from error


def is_zarr(path: Path) -> bool:
    """Whether the folder ``path`` is a zarr store."""
    return path.is_dir() and any((path / marker).exists() for marker in _ZARR_MARKERS)


def read_anndata(path: Path) -> AnnData:
    """Read an h5ad file or a zarr folder."""
    if is_zarr(path):
        with reader_errors(path, expected="an AnnData zarr folder"):
            return ad.read_zarr(path)
    with reader_errors(path, expected="an h5ad file"):
        return ad.read_h5ad(path)


@contextmanager
def open_group(path: Path) -> Iterator[Any]:
    """Open the root group of an h5ad file or a zarr folder."""
    if is_zarr(path):
        import zarr  # noqa: PLC0415 - takes a quarter of a second, and most files are h5ad

        with reader_errors(path, expected="an AnnData zarr folder"):
            file = zarr.open_group(path, mode="r")
        yield file
        return
    with reader_errors(path, expected="an h5ad file"):
        file = h5py.File(path, "r")
    with file:
        yield file


def sliceable(stored: Any) -> Any:  # noqa: ANN401 - an array or a group of h5py or of zarr
    """Return what can be sliced by rows: the array, or a view of a sparse matrix on disk."""
    is_sparse = "matrix" in stored.attrs.get("encoding-type", "")
    return ad.io.sparse_dataset(stored) if is_sparse else stored


def _is_utf16(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) in {b"\xff\xfe", b"\xfe\xff"}
