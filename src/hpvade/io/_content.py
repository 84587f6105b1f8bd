"""What a file or folder is, by its content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import h5py

from ._compression import archived_files, find_compression, find_encoding, open_bytes
from ._files import is_zarr, open_group, reader_errors
from ._tenx import is_tenx

if TYPE_CHECKING:
    from pathlib import Path

_START = 2**14  # bytes that are examined
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r"))

# The first bytes of files that are not text.
_SIGNATURES: Final = {
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"FEA1": "arrow",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "xls",
    b"RDX2\n": "rdata",
    b"RDX3\n": "rdata",
    b"RDA": "rdata",
    b"X\n\x00\x00\x00": "rds",
    b"A\n2\n": "rds",
    b"A\n3\n": "rds",
    b"\x0b\x0e\x0a\x0c": "qs",
    b"%PDF": "pdf",
    b"\x93NUMPY": "numpy",
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
    b"BAM\x01": "reads",
    b"CRAM": "reads",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"7z\xbc\xaf\x27\x1c": "archive",
    b"Rar!": "archive",
    b"[CEL]": "cel",
    b"\x40\x00\x00\x00": "cel",
    b"\x3b\x01": "cel",
}
# The first characters of text files that hold no table.
_TEXTS: Final = {
    r"[ \r\n]*<(!doctype html|html[ >]|head>)": "html",
    r"[ \r\n]*<\?xml ": "xml",
    r"[ \r\n]*[{[]\s*[\"{\[\]}]": "json",
    r"\^(DATABASE|SERIES|SAMPLE|PLATFORM|DATASET)\b": "soft",
    r"%%MatrixMarket": "mtx",
    r"@(HD|SQ|RG)\t": "reads",
    r"@[^\n]*\n[ACGTN.]+\n\+": "reads",
    r">[^\n]*\n[ACGTNacgtn]+\n": "reads",
    r"version https://git-lfs": "lfs",
    r"(#.*\n)*[^\t\n]+\t[^\t\n]+\t(gene|transcript|exon|CDS)\t\d+\t\d+\t": "annotation",
}
# Groups of an HDF5 file or a zarr store that show what it is.
_GROUPS: Final = (
    ({"mod"}, "mudata"),
    ({"obs", "var"}, "anndata"),
    ({"row_attrs", "col_attrs"}, "loom"),
    ({"assays", "cell.names"}, "h5seurat"),
    ({"est_counts", "aux"}, "kallisto h5"),
    ({"data", "meta"}, "archs4"),
    ({"barcode_idx", "umi"}, "molecules"),
    ({"tables", "images"}, "spatialdata"),
)
# Files in a zip file that show what it is.
_MEMBERS: Final = {
    r"xl/workbook\.xml": "excel",
    r"xl/workbook\.bin": "xls",
    r"word/document\.xml|ppt/presentation\.xml": "document",
    r"content\.xml": "document",
    r"(.*/)?(\.zgroup|\.zattrs|zarr\.json)": "zarr zip",
    r".*\.npy": "numpy",
}


@dataclass(frozen=True)
class Content:
    """What a file or folder is.

    Attributes
    ----------
    kind
        ``"text"``, ``"folder"``, ``"packed"`` (compressed, but no text), ``"unknown"``, a key of
        `hpvade._formats.UNREADABLE`, or what the reader of a format accepts.
    compression
        What it is compressed with, if it is.
    """

    kind: str
    compression: str = ""


def find_content(path: Path, *, expected: str) -> Content:
    """Find out what a file or folder is from its content, whatever its name.

    Parameters
    ----------
    path
        The file or folder.
    expected
        What it should be, for messages.

    Raises
    ------
    FileFormatError
        If it does not exist, or is damaged.
    """
    with reader_errors(path, expected=expected):
        if path.is_dir():
            return Content(_folder(path))
        compression = find_compression(path)
        if compression == "zip" and (kind := _zip(path)):
            return Content(kind)
        with open_bytes(path) as handle:
            start = handle.read(_START)
        kind = _file(start)
        if compression and kind in {"hdf5", "parquet", "unknown"}:
            kind = "packed"
        if kind == "hdf5":
            with h5py.File(path, "r") as file:
                kind = _groups(file) or kind
        return Content(kind, compression)


def _folder(path: Path) -> str:
    if is_tenx(path):
        return "tenx folder"
    if (path / "__tiledb_group.tdb").exists():
        return "soma"
    if not is_zarr(path):
        return "folder"
    with open_group(path) as group:
        return _groups(group) or "zarr"


def _groups(file: Any) -> str:  # noqa: ANN401 - a group of h5py or of zarr
    """Return what the names of a file's groups show; empty if nothing."""
    names = set(file)
    if "spatialdata_attrs" in file.attrs:
        return "spatialdata"
    for groups, kind in _GROUPS:
        if groups <= names:
            return kind
    is_hdf5 = isinstance(file, h5py.File)
    return "tenx h5" if is_hdf5 and any(_has_barcodes(file[name]) for name in names) else ""


def _has_barcodes(entry: h5py.Group | h5py.Dataset) -> bool:
    return isinstance(entry, h5py.Group) and "barcodes" in entry


def _zip(path: Path) -> str:
    """Return what the files in a zip file show; empty if nothing."""
    names = archived_files(path)
    for pattern, kind in _MEMBERS.items():
        if any(re.fullmatch(pattern, name) for name in names):
            return kind
    return ""


def _file(start: bytes) -> str:
    """Return what the first bytes of a file show."""
    if not start.strip():
        return "empty"
    if start[257:262] == b"ustar":
        return "archive"
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return kind
    encoding = find_encoding(start)
    if encoding == "utf-8-sig" and len(start.translate(None, _CONTROL)) < len(start):
        return "unknown"
    text = start.decode(encoding, errors="replace")
    found = (kind for pattern, kind in _TEXTS.items() if re.match(pattern, text, re.IGNORECASE))
    return next(found, "text")
