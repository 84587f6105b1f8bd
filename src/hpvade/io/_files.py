"""Opening files; whatever the readers of other libraries raise becomes one clear `FileFormatError`."""

from __future__ import annotations

import lzma
import warnings
import zipfile
import zlib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import pandas as pd
from anndata import AnnData
from anndata._io.specs.registry import IORegistryError
from pandas.api.types import is_hashable

from hpvade._errors import FileFormatError, InputError

from ._codecs import check_codecs
from ._matrices import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What anndata raises for an element of a later version, or of a library that is not installed.
_UNKNOWN_ELEMENT = (IORegistryError, ImportError, KeyError, TypeError, ValueError, AttributeError)

# What h5py, zarr, anndata, pandas, gzip, lzma, zipfile and scipy.io raise for files that are truncated, in
# another format, or declare sizes beyond the memory.
READER_ERRORS = (
    *(OSError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError),
    *(RuntimeError, MemoryError, OverflowError, AssertionError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, IORegistryError),
)

_ZARR_MARKERS = ("zarr.json", ".zgroup", ".zattrs")
_PARTS = ("X", "layers", "obsm", "varm", "obsp", "varp", "uns")  # of an AnnData, besides tables and raw
_EXPRESSION_MODALITIES = ("rna", "gex", "gene expression")  # of a MuData file, in lower case


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
    if not path.is_file() and not path.is_dir():
        msg = f"{path} is a pipe or a device; expected {expected}. Save it to a file first."
        raise FileFormatError(msg)
    try:
        with ignore_anndata_warnings():
            yield
    except InputError:
        raise
    except READER_ERRORS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        msg = (
            f"{path} cannot be read as {expected} ({reason}). It may be truncated or in another format. "
            "Download or export it again."
        )
        raise FileFormatError(msg) from error


def is_zarr(path: Path) -> bool:
    """Whether the folder ``path`` is a zarr store."""
    return path.is_dir() and any((path / marker).exists() for marker in _ZARR_MARKERS)


def is_zipped_zarr(path: Path) -> bool:
    """Whether the file ``path`` is a zarr store in a zip file."""
    return path.is_file() and zipfile.is_zipfile(path) and _store_in_zip(path) is not None


@contextmanager
def open_group(path: Path) -> Iterator[Any]:
    """Open the root group of an h5ad file or a zarr store, in a folder or in a zip file."""
    if is_zarr(path) or is_zipped_zarr(path):
        import zarr  # noqa: PLC0415 - takes a quarter of a second, and most files are h5ad

        with ExitStack() as stack:
            with reader_errors(path, expected="an AnnData zarr store"):
                check_codecs(path)
                if path.is_dir():
                    file = zarr.open_group(path, mode="r")
                else:
                    store = stack.enter_context(zarr.storage.ZipStore(path, mode="r"))
                    file = zarr.open_group(store, path=str(_store_in_zip(path)).lstrip("."), mode="r")
            yield file
        return
    with reader_errors(path, expected="an h5ad file"):
        file = h5py.File(path, "r")
    with file:
        with reader_errors(path, expected="an h5ad file"):
            refuse_other_files(file)
        yield file


def refuse_other_files(file: h5py.File) -> None:
    """Refuse an HDF5 file that shows parts of other files as its own.

    Raises
    ------
    ValueError
        If it has a link to another file, or an array that is stored in one.
    """
    links: list[tuple[str, Any]] = []
    file.visititems_links(lambda name, link: links.append((name, link)))  # which must not raise
    for name, link in links:
        stored = file[name] if isinstance(link, h5py.HardLink) else None
        is_stored_elsewhere = isinstance(stored, h5py.Dataset) and bool(stored.external or stored.is_virtual)
        if isinstance(link, h5py.ExternalLink) or is_stored_elsewhere:
            msg = f"'{name}' is in another file"
            raise ValueError(msg)


@contextmanager
def open_anndata(path: Path) -> Iterator[Any]:
    """Open the group that holds an AnnData: the root group, or gene expression in a MuData file.

    Raises
    ------
    FileFormatError
        If the file cannot be opened, is not AnnData, or is MuData without a modality of gene expression.
    """
    with open_group(path) as file:
        yield _anndata_group(file, path)


def _store_in_zip(path: Path) -> PurePosixPath | None:
    """Return the folder of a zip file that holds a zarr store: its root, or a folder that was zipped."""
    with zipfile.ZipFile(path) as archive:
        folders = {
            name.parent for name in map(PurePosixPath, archive.namelist()) if name.name in _ZARR_MARKERS
        }
    return min(folders, key=lambda folder: len(folder.parts), default=None)


def _anndata_group(file: Any, path: Path) -> Any:  # noqa: ANN401 - a group of h5py or of zarr
    if "mod" not in file:
        if "obs" not in file or "var" not in file:
            msg = (
                f"{path} is not an AnnData file: it holds {', '.join(map(repr, file)) or 'nothing'}, and no "
                "tables obs and var. Save the AnnData with write_h5ad, and give that file."
            )
            raise FileFormatError(msg)
        return file
    modalities = list(file["mod"])
    found = [name for name in modalities if name.lower() in _EXPRESSION_MODALITIES]
    if len(found) != 1:
        msg = (
            f"{path} is a MuData file with the modalities {', '.join(map(repr, modalities))}; hpvade looked "
            "for 'rna'. In Python, save the gene expression with mdata['…'].write_h5ad('reference.h5ad')."
        )
        raise FileFormatError(msg)
    return file["mod"][found[0]]


def read_anndata(path: Path) -> AnnData:
    """Read an AnnData; see `read_known_parts`."""
    return read_known_parts(path)[0]


def read_known_parts(path: Path) -> tuple[AnnData, list[str]]:
    """Read an AnnData without the parts that the installed version of anndata cannot read.

    Returns
    -------
    The AnnData, and what was left out, as notes.

    Raises
    ------
    FileFormatError
        If the file cannot be opened, or its tables of cells or genes cannot be read.
    """
    with open_anndata(path) as group, reader_errors(path, expected="an AnnData file"):
        if hasattr(group["obs"], "dtype") or "raw.X" in group:  # anndata before 0.7: tables are arrays
            old = ad.read_h5ad(path) if isinstance(group, h5py.Group) else ad.read_zarr(group)
            raw = old.raw and old.raw.X
            checked({"X": old.X, "raw": raw, "layers": old.layers, "obsm": old.obsm, "obsp": old.obsp})
            return old, []
        left_out: list[str] = []
        parts = {name: read_known(group[name], name, left_out) for name in _PARTS if name in group}
        obs, var = read_obs(group, left_out), read_table(group["var"], "var", left_out)
        adata = AnnData(obs=obs, var=var, **parts)
        if "raw/X" in group and (x := read_known(group["raw/X"], "raw/X", left_out)) is not None:
            var = read_table(group["raw/var"], "raw/var", left_out)
            adata.raw = AnnData(x, obs=adata.obs[[]], var=var)
        return adata, stored_notes(group, left_out)


def read_known(stored: Any, name: str, left_out: list[str]) -> Any:  # noqa: ANN401
    """Read an element of an AnnData; None, with its name in ``left_out``, if anndata does not know it.

    Of a group of elements, those that are known are read.
    """
    try:
        element = ad.io.read_elem(stored)
    except _UNKNOWN_ELEMENT:
        if stored.attrs.get("encoding-type", "dict") != "dict" or hasattr(stored, "dtype"):
            left_out.append(name)
            return None
    else:
        return checked(element)
    elements = {key: read_known(stored[key], f"{name}/{key}", left_out) for key in stored}
    return {key: element for key, element in elements.items() if element is not None}


def read_table(stored: Any, name: str, left_out: list[str]) -> pd.DataFrame:  # noqa: ANN401
    """Read a table of cells or genes; the names of columns that anndata does not know go to ``left_out``."""
    try:
        table = ad.io.read_elem(stored)
    except _UNKNOWN_ELEMENT:
        index = pd.Index(ad.io.read_elem(stored[stored.attrs["_index"]]))
        names = stored.attrs["column-order"]
        columns = {key: read_known(stored[key], f"{name}/{key}", left_out) for key in names}
        known = {key: column for key, column in columns.items() if column is not None}
        table = pd.DataFrame(known, index=index)
    wrong = [key for key, column in table.items() if len(column) and not is_hashable(column.iloc[0])]
    if wrong:
        msg = f"{name}['{wrong[0]}'] is not a column of names or numbers"
        raise ValueError(msg)
    return table


def read_obs(group: Any, left_out: list[str]) -> pd.DataFrame:  # noqa: ANN401
    """Read the table of cells; a modality of a MuData file also gets the columns of the whole file."""
    obs = read_table(group["obs"], "obs", left_out)
    whole = _mudata(group)
    if whole is None:
        return obs
    shared = read_table(whole["obs"], "obs", left_out)
    shared = shared.loc[~shared.index.duplicated(), shared.columns.difference(obs.columns)]
    return obs.join(shared)


def stored_notes(group: Any, left_out: list[str]) -> list[str]:  # noqa: ANN401
    """Describe what was left out of a file."""
    notes = []
    if (whole := _mudata(group)) is not None:
        name = PurePosixPath(group.name).name
        others = ", ".join(repr(other) for other in whole["mod"] if other != name)
        notes.append(
            f"The modality '{name}' of the MuData file was used{f', not {others}' if others else ''}."
        )
    if left_out:
        notes.append(
            f"Left out, because the installed version of anndata cannot read it: {', '.join(left_out)}. "
            "hpvade needs only counts, labels and gene names."
        )
    return notes


def _mudata(group: Any) -> Any:  # noqa: ANN401
    """Return the MuData that a group is a modality of, if it is."""
    modalities = PurePosixPath(group.name).parent
    if modalities.name != "mod":
        return None
    if isinstance(group, h5py.Group):
        return group.file[str(modalities.parent)]
    import zarr  # noqa: PLC0415 - as above

    return zarr.open_group(group.store, path=str(modalities.parent).strip("/"), mode="r")


class _Written:
    """A file for HDF5 that keeps its first error: HDF5 crashes if it cannot close a file on a full disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self.error: OSError | None = None

    def write(self, content: Any) -> int:  # noqa: ANN401 - bytes or a buffer
        """Write, or pretend to after an error."""
        return self._try(self._file.write, content, instead=len(content))

    def read(self, size: int = -1) -> bytes:
        """Read."""
        return self._try(self._file.read, size, instead=b"")

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        """Read into a buffer."""
        return self._try(self._file.readinto, buffer, instead=len(buffer))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; this also writes what is buffered."""
        return self._try(self._file.seek, offset, whence, instead=offset)

    def tell(self) -> int:
        """Return the position."""
        return self._try(self._file.tell, instead=0)

    def truncate(self, size: int) -> int:
        """Change the size."""
        return self._try(self._file.truncate, size, instead=size)

    def flush(self) -> None:
        """Write what is buffered."""
        self._try(self._file.flush, instead=None)

    def close(self) -> None:
        """Close the file; raises the error that was kept."""
        self._try(self._file.close, instead=None)
        if self.error is not None:
            with suppress(OSError):
                self._file.close()
            raise self.error

    def _try(self, action: Callable[..., Any], *arguments: Any, instead: Any) -> Any:  # noqa: ANN401
        if self.error is None:
            try:
                return action(*arguments)
            except OSError as error:
                self.error = error
        return instead


def write_h5ad(adata: AnnData, path: Path, *, compression: str | None = None) -> None:
    """Write an AnnData; ``compression`` as for h5py.

    Raises
    ------
    OSError
        If the disk is full, or the file cannot be written for another reason.
    """
    file = _Written(path)
    try:
        with h5py.File(file, "w") as group:
            ad.io.write_elem(group, "/", adata, dataset_kwargs={"compression": compression})
    finally:
        file.close()
