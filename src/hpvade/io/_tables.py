"""Parsing delimited text: the header, the decimal mark, text columns and numbers."""

from __future__ import annotations

import csv
import re
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError

from ._files import is_gzip, open_text, reader_errors

if TYPE_CHECKING:
    from pathlib import Path

    from pandas.io.parsers import TextFileReader

WHITE_SPACE = r"\s+"

_TEXT = "a delimited text table"
_EXAMINED_ROWS = 100  # to recognise the decimal mark
_DECIMAL_COMMA, _DECIMAL_POINT = (
    re.compile(rf'[\t; ]"?-?\d+{mark}\d+"?(?=[\t; \r\n]|$)') for mark in (",", r"\.")
)
_IN_MEMORY = 2**25  # numbers of a table, 256 MB; a larger one is moved to disk in parts


@dataclass(frozen=True)
class Head:
    """The start of a delimited file.

    Attributes
    ----------
    skipped
        The lines above the header.
    separator
        A tab, a comma, a semicolon, or `WHITE_SPACE`.
    header
        The column names; the first is the heading of the row names.
    decimal
        The decimal mark, a point or a comma.
    """

    skipped: list[str]
    separator: str
    header: list[str]
    decimal: str = "."


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a small table that a user wrote, all columns as text; separated by tabs, commas or semicolons.

    Raises
    ------
    OSError, ValueError
        If it cannot be opened, or is not a table.
    """
    with open_text(path) as handle:
        separator = max("\t,;", key=handle.readline().count)
        handle.seek(0)
        return pd.read_csv(handle, sep=separator, dtype=str, keep_default_na=False)


def read_head(path: Path) -> Head:
    """Read the header of a delimited file; the first two lines of a GCT file count as skipped.

    Raises
    ------
    FileFormatError
        If the file has no header of at least two columns with a row below it.
    """
    skipped: list[str] = []
    with reader_errors(path, expected=_TEXT), open_text(path) as handle:
        line = handle.readline()
        while line.startswith(("# ", "##", "#1.")):
            skipped.append(line)
            if line.startswith("#1."):  # GCT: the next line holds the two dimensions
                skipped.append(handle.readline())
            line = handle.readline()
        first_row = handle.readline()
        more_rows = [handle.readline() for _ in range(_EXAMINED_ROWS)]
    separator = max("\t,;", key=line.count)
    if separator not in line:
        separator = WHITE_SPACE
    header, row = _split(line, separator), _split(first_row, separator)
    if len(row) == len(header) + 1:  # R writes no heading over the row names
        header = ["", *header]
    if len(header) < 2 or len(row) != len(header):
        msg = (
            f"{path} is not {_TEXT}: its header has {len(header)} columns and its first row {len(row)}. "
            "Expected names in the first row and the first column, separated by tabs, commas or semicolons."
        )
        raise FileFormatError(msg)
    numbers = "".join((first_row, *more_rows)) if separator != "," else ""
    has_comma = not _DECIMAL_POINT.search(numbers) and bool(_DECIMAL_COMMA.search(numbers))
    return Head(skipped, separator, header, decimal="," if has_comma else ".")


def read_columns(path: Path, head: Head, *, first: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the columns before ``first`` as text, and the others as numbers.

    Returns
    -------
    text
        Shape (rows, first), columns 0, 1, …
    numbers
        float64, shape (rows, columns - first), indexed by the file's first column. The numbers of a large
        table are in a temporary file that is deleted with them.

    Raises
    ------
    FileFormatError
        If a value is not a number, or the last line is incomplete.
    """
    names = head.header[first:]
    texts, numbers = [], []
    with (
        reader_errors(path, expected=_TEXT),
        _parts(path, head, first=first) as parts,
        tempfile.TemporaryFile() as disk,
    ):
        for body in parts:
            text = body.iloc[:, :first]
            texts.append(text)
            numbers.append(_to_numbers(body.iloc[:, first:], rows=text[0], names=names, path=path))
            if len(texts) > 1:
                for part in numbers:
                    part.to_numpy().tofile(disk)
                numbers.clear()
        if body.iloc[-1:, -1].isna().any():
            _check_last_line(path, head)
        text = pd.concat(texts)
        if numbers:
            values = numbers[0].to_numpy()
        else:
            disk.flush()
            values = np.memmap(disk, dtype=np.float64, mode="r", shape=(len(text), len(names)))
    return text, pd.DataFrame(values, index=pd.Index(list(text[0])), columns=names, copy=False)


def _parts(path: Path, head: Head, *, first: int) -> TextFileReader:
    """Open the rows of a table, to be read in parts of ``_IN_MEMORY`` numbers."""
    return pd.read_csv(
        path,
        sep=head.separator,
        decimal=head.decimal,
        header=None,
        skiprows=len(head.skipped) + 1,
        converters=dict.fromkeys(range(first), str.strip),  # NA and None are valid names
        compression="gzip" if is_gzip(path) else None,
        encoding="utf-8-sig",
        low_memory=False,
        chunksize=max(_IN_MEMORY // len(head.header), 1),
    )


def _split(line: str, separator: str) -> list[str]:
    line = line.rstrip("\r\n")
    if separator == WHITE_SPACE:
        return [field.strip('"') for field in line.split()]
    return next(csv.reader([line], delimiter=separator), [])


def _to_numbers(body: pd.DataFrame, *, rows: pd.Series, names: list[str], path: Path) -> pd.DataFrame:
    numbers = {}
    for name, column in zip(names, body.columns, strict=True):
        numeric = pd.to_numeric(body[column], errors="coerce")
        bad = (numeric.isna() & body[column].notna()).to_numpy()
        if bad.any():
            row = int(bad.argmax())
            msg = (
                f"{path}: '{body[column].iloc[row]}' in row '{rows.iloc[row]}', column '{name}' is not a "
                "number. Expected names in the first row and the first column, and numbers with a decimal "
                "point or comma everywhere else. Remove other rows and columns."
            )
            raise FileFormatError(msg)
        numbers[column] = numeric.astype(np.float64)
    return pd.DataFrame(numbers)


def _check_last_line(path: Path, head: Head) -> None:
    with open_text(path) as handle:
        last = deque((line for line in handle if line.strip()), maxlen=1)[0]
    if len(_split(last, head.separator)) < len(head.header):
        msg = (
            f"{path} is truncated: its last line has fewer columns than its header. "
            "Download or export it again."
        )
        raise FileFormatError(msg)
