"""Excel workbooks: a sheet is read as the text that it would be exported to."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from hpvade._errors import FileFormatError, InputError
from hpvade.io._compression import Text
from hpvade.io._files import reader_errors

from ._delimited import read_table
from ._head import is_number, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._source import BulkSource, Table

_EXAMINED_ROWS = 50  # to see whether a sheet has a table


def read_excel(source: BulkSource) -> Table:
    """Read the first visible sheet that has a table.

    Raises
    ------
    InputError
        If openpyxl is not installed.
    FileFormatError
        If the workbook is damaged, or no sheet has a table.
    """
    try:
        import openpyxl  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        msg = (
            f"{source.path} is an Excel workbook, which needs openpyxl: pip install 'hp-vade[excel]'. "
            "Or save it as CSV."
        )
        raise InputError(msg) from error
    stored = source.new_file("sheet.tsv")
    try:
        with reader_errors(source.path, expected="an Excel workbook"), source.path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = [
                sheet for sheet in book.worksheets if sheet.sheet_state == "visible" and _has_table(sheet)
            ]
            if sheets:
                with stored.open("w", encoding="utf-8", newline="") as handle:
                    csv.writer(handle, delimiter="\t", lineterminator="\n").writerows(_rows(sheets[0]))
            book.close()
    except (ParseError, RuntimeError) as error:  # the second is raised by zipfile
        msg = f"{source.path} cannot be read as an Excel workbook ({error}). Save it again, or as CSV."
        raise FileFormatError(msg) from error
    if not sheets:
        msg = (
            f"{source.path} has no sheet with a table. Expected names in the first row and the first column, "
            "and numbers everywhere else."
        )
        raise FileFormatError(msg)
    notes: tuple[str, ...] = ()
    if others := ", ".join(f"'{sheet.title}'" for sheet in sheets[1:]):
        notes = (
            f"Sheet '{sheets[0].title}' was read. The workbook has tables in other sheets too: {others}.",
        )
    text = Text(source.path, stored)
    table = read_table(text, read_head(text), genes=source.genes)
    return replace(table, notes=(*notes, *table.notes))


def _has_table(sheet: Any) -> bool:  # noqa: ANN401 - of openpyxl
    """Whether one of the first rows has a number behind its first cell."""
    sheet.reset_dimensions()  # some programs write wrong ones
    rows = sheet.iter_rows(max_row=_EXAMINED_ROWS, values_only=True)
    return any(is_number(_text(cell).lower()) for row in rows for cell in row[1:])


def _rows(sheet: Any) -> Iterator[list[str]]:  # noqa: ANN401 - of openpyxl
    """Yield the rows of a sheet as text, each at least as wide as those above it."""
    width = 0
    for row in sheet.iter_rows(values_only=True):
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        width = max(width, len(cells))
        if cells:
            yield cells + [""] * (width - len(cells))


def _text(cell: object) -> str:
    """Write a cell as text; the exponent shows that the point in a number does not separate thousands."""
    if cell is None:
        return ""
    text = repr(cell) if isinstance(cell, float) else str(cell)
    if isinstance(cell, float) and "e" not in text:
        return text.removesuffix(".0") if text.endswith(".0") else f"{text}e0"
    return text
