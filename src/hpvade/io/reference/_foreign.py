"""Files and folders that are not single-cell references: each is named, with the way to a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hpvade._errors import FileFormatError
from hpvade._formats import TABLES, UNREADABLE
from hpvade.io._content import find_content

if TYPE_CHECKING:
    from pathlib import Path

_READ: Final = {"anndata", "mudata", "zarr", "zarr zip", "tenx h5", "tenx folder"}
_EXPECTED = "an h5ad file, a zarr store, or a 10x folder (matrix.mtx, barcodes.tsv, features.tsv)"
_SHOWN = 5  # names in a message


def refuse_foreign(path: Path) -> None:
    """Refuse a file or folder that is recognised as something else than AnnData or 10x output.

    Raises
    ------
    FileFormatError
        If it is, or if it does not exist; the message says what it is, and how to make a reference of it.
    """
    content = find_content(path, expected="a single-cell reference")
    known = None if content.kind in _READ else (UNREADABLE | TABLES).get(content.kind)
    if known is not None:
        msg = f"{path} is {known.title}, not a single-cell reference. {known.for_reference}"
    elif content.kind == "packed":
        msg = f"{path} is compressed with {content.compression}. Unpack it first."
    elif content.kind == "folder":
        msg = _describe_folder(path)
    else:
        return
    raise FileFormatError(msg)


def _describe_folder(path: Path) -> str:
    inner = sorted(file.parent for file in path.glob("*/matrix.mtx*"))
    if inner:
        return f"{path} holds the 10x folder {inner[0]}: give that."
    names = sorted(entry.name for entry in path.iterdir())
    more = ", …" if len(names) > _SHOWN else ""
    found = f"a folder with {', '.join(map(repr, names[:_SHOWN]))}{more}" if names else "an empty folder"
    return f"{path} is {found}. Give {_EXPECTED}."
