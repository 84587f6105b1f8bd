"""Files and folders that hold cells but are not AnnData: what each is, and how to convert it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

import h5py

from hpvade._errors import FileFormatError

from ._files import is_zarr, is_zipped_zarr

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


class Kind(NamedTuple):
    """What a file is, and the way to a reference."""

    name: str
    way_out: str


_SAVE = "save it with write_h5ad('reference.h5ad')"
_FROM_TABLE = f"In Python, make it an AnnData with the cell types in obs, and {_SAVE}."
_FROM_R = (
    "Convert it to h5ad in R, for instance with zellkonverter, anndataR or sceasy, and give the h5ad file."
)
_HDF5_START = b"\x89HDF"

# Each kind by what only it has: entries of an HDF5 file, entries of a folder, the first bytes of a file.
_HDF5: Final = {
    ("matrix", "row_attrs", "col_attrs"): Kind(
        "a loom file", f"In Python, read it with scanpy.read_loom, put the cell types into obs, and {_SAVE}."
    ),
    ("assays", "cell.names"): Kind("a Seurat object (h5Seurat)", _FROM_R),
    ("barcode_idx", "umi"): Kind(
        "a list of molecules (molecule_info.h5)", "Give filtered_feature_bc_matrix.h5 of the same run."
    ),
}
_SPATIALDATA: Final = Kind(
    "a SpatialData store",
    f"In Python, take its table with spatialdata.read_zarr(…).tables['table'], and {_SAVE}.",
)
_FOLDERS: Final = {
    ("tables",): _SPATIALDATA,
    ("table",): _SPATIALDATA,
    ("__tiledb_group.tdb",): Kind(
        "a TileDB-SOMA experiment", f"In Python, read it with tiledbsoma.io.to_anndata, and {_SAVE}."
    ),
}
_FIRST_BYTES: Final = {
    b"RDX": Kind("an R data file (RData)", _FROM_R),
    b"RDA": Kind("an R data file (RData)", _FROM_R),
    b"X\n\0\0": Kind("an R data file (rds)", _FROM_R),
    b"A\n": Kind("an R data file (rds)", _FROM_R),
    b"\x0b\x0e\x0a\x0c": Kind("an R data file (qs)", _FROM_R),
    b"\x80": Kind(
        "a Python pickle", f"hpvade opens no pickles, because they can run programs. In Python, {_SAVE}."
    ),
    b"PAR1": Kind("a Parquet table", _FROM_TABLE),
    b"PK\x03\x04": Kind("a zip file", "Unpack it, and give the h5ad file or the folder in it."),
    b"%%MatrixMarket": Kind(
        "a Matrix Market file",
        "Give its folder, which must also hold barcodes.tsv and features.tsv or genes.tsv.",
    ),
    _HDF5_START: Kind("a compressed HDF5 file", "Unpack it first, for instance with gunzip."),
}
_TEXT: Final = Kind("a text file", f"A reference is an h5ad file, a zarr store or 10x output. {_FROM_TABLE}")
_COMPRESSION: Final[dict[bytes, ModuleType]] = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ": lzma}
_EXAMINED_BYTES = 4096


def refuse_foreign(path: Path) -> None:
    """Refuse a file or folder that is recognised as something else than AnnData or 10x output.

    Raises
    ------
    FileFormatError
        If it is; the message says what it is, and how to make a reference of it.
    """
    if path.is_dir():
        kind = _kind_of_folder(path)
    elif path.is_file() and not is_zipped_zarr(path):
        kind = _kind_of_hdf5(path) if h5py.is_hdf5(path) else _kind_of_file(path)
    else:
        return
    if kind is not None:
        msg = f"{path} is {kind.name}, not an AnnData file. {kind.way_out}"
        raise FileFormatError(msg)


def _kind_of_folder(path: Path) -> Kind | None:
    entries = {entry.name for entry in path.iterdir()}
    if "obs" in entries:
        return None
    found = next((kind for required, kind in _FOLDERS.items() if entries.issuperset(required)), None)
    if found is not None or is_zarr(path):
        return found
    inner = sorted(file.parent for file in path.glob("*/matrix.mtx*"))
    if inner:
        return Kind("a folder", f"It holds the 10x folder {inner[0]}: give that.")
    way_out = "Give an h5ad file, a zarr store, or a 10x folder (matrix.mtx, barcodes.tsv, features.tsv)."
    return Kind(f"a folder with {_listed(entries)}" if entries else "an empty folder", way_out)


def _kind_of_hdf5(path: Path) -> Kind | None:
    try:
        with h5py.File(path, "r") as file:
            entries = set(file)
    except OSError:  # truncated: the reader reports it
        return None
    return next((kind for required, kind in _HDF5.items() if entries.issuperset(required)), None)


def _kind_of_file(path: Path) -> Kind | None:
    start = _first_bytes(path)
    found = next((kind for first, kind in _FIRST_BYTES.items() if start.startswith(first)), None)
    if found is None and start and not start.translate(None, bytes(range(32, 256)) + b"\t\r\n\f"):
        return _TEXT
    return found


def _first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with path.open("rb") as file:
        start = file.read(_EXAMINED_BYTES)
    for signature, module in _COMPRESSION.items():
        if start.startswith(signature):
            try:
                with module.open(path) as file:
                    return bytes(file.read(_EXAMINED_BYTES))
            except (OSError, EOFError, zlib.error, lzma.LZMAError):  # truncated
                return start
    return start


def _listed(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)[:5]) + (", …" if len(names) > 5 else "")
