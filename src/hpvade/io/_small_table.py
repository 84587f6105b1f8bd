"""Small files that a user wrote: tables such as labels and label maps, and settings."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError

from ._compression import open_text

if TYPE_CHECKING:
    from pathlib import Path

MAX_TEXT = 2**29  # characters
_UNPACKING_ERRORS = (EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def read_text(path: Path) -> str:
    """Read a text that a user wrote, compressed or not.

    Raises
    ------
    OSError, ValueError
        If it cannot be opened or unpacked, is no text file, or has more than `MAX_TEXT` characters.
    """
    if path.exists() and not path.is_file():
        msg = "it is a folder" if path.is_dir() else "it is a pipe or a device; save it to a file"
        raise ValueError(msg)
    try:
        with open_text(path) as handle:
            text = handle.read(MAX_TEXT + 1)
    except (*_UNPACKING_ERRORS, FileFormatError) as error:
        msg = f"it cannot be unpacked: {error}"
        raise ValueError(msg) from error
    if "\0" in text:
        msg = "it is not a text"
        raise ValueError(msg)
    if len(text) > MAX_TEXT:
        msg = f"it has more than {MAX_TEXT // 2**20} million characters"
        raise ValueError(msg)
    return text


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a small table that a user wrote, all columns as text; separated by tabs, commas or semicolons.

    Raises
    ------
    OSError, ValueError
        If it cannot be opened, or is not a table.
    """
    text = read_text(path)
    separator = max("\t,;", key=text.partition("\n")[0].count)
    try:
        return pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except (RuntimeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
