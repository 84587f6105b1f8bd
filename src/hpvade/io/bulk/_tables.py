"""Parsing delimited text: text columns and numbers."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError
from hpvade.io._files import reader_errors

from ._head import TEXT_TABLE, is_number, split_line
from ._marks import Marks, Numbers, parse_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hpvade.io._compression import Text

    from ._head import Head

_IN_MEMORY = 2**25  # numbers of a table, 256 MB; a larger one is moved to disk in parts
_IN_MEMORY_AS_TEXT = 2**20
_EXAMINED = 10_000  # numbers that show the marks of most tables


class Columns(NamedTuple):
    """Columns of a table.

    Attributes
    ----------
    text
        Shape (rows, text columns), labelled by their positions in the file.
    numbers
        float64, shape (rows, number columns), indexed by the first text column. The numbers of a large table
        are in a temporary file that is deleted with them.
    are_integers
        Whether all numbers were written without a decimal mark and an exponent.
    notes
        How the numbers were read.
    """

    text: pd.DataFrame
    numbers: pd.DataFrame
    are_integers: bool
    notes: list[str]


def read_columns(
    text: Text, head: Head, *, texts: Sequence[int], numbers: Sequence[int], names: Sequence[str]
) -> Columns:
    """Read some columns of a table as text, and others as numbers.

    Parameters
    ----------
    text, head
        The file and its head.
    texts
        Positions of text columns; the first holds the names of the rows.
    numbers, names
        Positions and names of the columns of numbers.

    Raises
    ------
    FileFormatError
        If a value is not a number or can be read in two ways, or the last line is incomplete.
    """
    wanted = _Wanted(text, head, list(texts), list(numbers), list(names))
    shown = Numbers()
    for row in head.rows[: max(_EXAMINED // len(numbers), 1)]:
        shown.add(row[j] for j in numbers)
        if shown.is_plain:
            break
    columns, marks = None, shown.obvious_marks()
    if marks is not None:
        try:
            columns = _read(wanted, marks)
        except _OtherMarksError:
            pass  # raised again below if no other marks explain the number
        else:
            if not shown.only_integers or columns.are_integers or _are_whole(columns.numbers):
                return columns
    everything = Numbers()
    for part in _parts(wanted, None):
        written = dict.fromkeys(part[wanted.numbers].to_numpy(dtype=object).ravel())
        everything.add(text for text in written if isinstance(text, str))
    found = everything.marks(text.path)
    if columns is None or found != marks:
        columns = _read(wanted, found)
    return columns._replace(notes=everything.note(found))


class _Wanted(NamedTuple):
    """Columns to be read."""

    text: Text
    head: Head
    texts: list[int]
    numbers: list[int]
    names: list[str]


class _OtherMarksError(FileFormatError):
    """A value is no number, unless it is written with other marks."""


def _read(wanted: _Wanted, marks: Marks) -> Columns:
    """Read columns whose numbers have these marks."""
    texts, numbers, are_integers = [], [], True
    with tempfile.TemporaryFile() as disk:
        for body in _parts(wanted, marks):
            texts.append(body[wanted.texts])
            numbers.append(_to_numbers(body, wanted, marks))
            are_integers &= all(kind.kind in "iu" for kind in body.dtypes[wanted.numbers])
            if len(texts) > 1:
                for part in numbers:
                    part.tofile(disk)
                numbers.clear()
        if body.iloc[-1:, -1].isna().any():
            _check_last_line(wanted)
        text = pd.concat(texts)
        if numbers:
            values = numbers[0]
        else:
            disk.flush()
            values = np.memmap(disk, dtype=np.float64, mode="r", shape=(len(text), len(wanted.names)))
    index = pd.Index(list(text[wanted.texts[0]]))
    frame = pd.DataFrame(values, index=index, columns=wanted.names, copy=False)
    return Columns(text, frame, are_integers, [])


def _parts(wanted: _Wanted, marks: Marks | None) -> Iterator[pd.DataFrame]:
    """Read rows in parts; numbers with thousands separators or unknown marks stay text."""
    text, head = wanted.text, wanted.head
    as_text = marks is None or bool(marks.thousands)
    with reader_errors(text.path, expected=TEXT_TABLE), text.open() as handle:
        for _ in itertools.islice(handle, head.n_lines):
            pass
        try:
            yield from pd.read_csv(
                handle,
                sep=head.separator,
                decimal="." if marks is None else marks.decimal,
                header=None,
                converters=dict.fromkeys(wanted.texts, str.strip),  # NA and None are valid names
                dtype=dict.fromkeys(wanted.numbers, str) if as_text else None,
                low_memory=False,
                chunksize=max((_IN_MEMORY_AS_TEXT if as_text else _IN_MEMORY) // head.width, 1),
            )
        except pd.errors.ParserError as error:
            raise _irregular(text.path, head, error) from error


def _irregular(path: Path, head: Head, error: pd.errors.ParserError) -> Exception:
    """Say which line has too many columns, if that is the error."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found is None:
        return error
    msg = (
        f"{path}: line {head.n_lines + int(found[2])} has {found[3]} columns, but the table has {found[1]}. "
        "Correct that line, or export the table again."
    )
    return FileFormatError(msg)


def _to_numbers(body: pd.DataFrame, wanted: _Wanted, marks: Marks) -> NDArray[np.float64]:
    """Convert the columns of numbers; shape (rows, columns)."""
    kinds = body.dtypes.to_numpy()
    if all(kinds[column].kind in "iuf" for column in wanted.numbers):
        return body[wanted.numbers].to_numpy(np.float64)
    values = np.empty((len(body), len(wanted.numbers)))
    for i, column in enumerate(wanted.numbers):
        written = body[column]
        values[:, i] = written if kinds[column].kind in "iuf" else parse_numbers(written, marks)
        bad = np.isnan(values[:, i]) & written.notna().to_numpy()
        if bad.any():
            row = int(bad.argmax())
            raise _not_a_number(
                wanted, str(written.iloc[row]), body[wanted.texts[0]].iloc[row], wanted.names[i]
            )
    return values


def _not_a_number(wanted: _Wanted, value: str, row: str, column: str) -> FileFormatError:
    msg = (
        f"{wanted.text.path}: '{value}' in row '{row}', column '{column}' is not a number. Expected names in "
        "the first row and the first column, and numbers everywhere else. Remove other rows and columns."
    )
    kind = _OtherMarksError if is_number(value) else FileFormatError
    return kind(msg)


def _are_whole(numbers: pd.DataFrame) -> bool:
    """Whether all numbers are whole; they may be on disk."""
    values = numbers.to_numpy()
    step = max(_IN_MEMORY // values.shape[1], 1)
    blocks = (values[start : start + step] for start in range(0, len(values), step))
    return all(((block == np.rint(block)) | ~np.isfinite(block)).all() for block in blocks)


def _check_last_line(wanted: _Wanted) -> None:
    text, head = wanted.text, wanted.head
    with text.open() as handle:
        last = deque((line for line in handle if line.strip()), maxlen=1)[0]
    if len(split_line(last, head.separator)) < head.width:
        msg = (
            f"{text.path} is truncated: its last line has fewer columns than its header. "
            "Download or export it again."
        )
        raise FileFormatError(msg)
