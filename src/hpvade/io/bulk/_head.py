"""The head of a delimited text file: comments, separator, header and first rows."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from hpvade._errors import FileFormatError
from hpvade.io._files import reader_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpvade.io._compression import Text

    _Row = tuple[int, list[str]]  # the number of its last line, and its fields

WHITE_SPACE = r"\s+"
TEXT_TABLE = "a delimited text table"

_COMMENTS = ("#", "!")
_ROWS, _CHARACTERS = 100, 2**21  # that are examined; at least two rows
MISSING: Final = {"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>"}
_NUMBER: Final = re.compile(r"[+-]?[\d.,' \u00a0\u202f]*\d[\d.,]*(?:e[+-]?\d+)?|[+-]?inf(?:inity)?")
# What the heading of the row names consists of; it tells a header of numbers from a row of numbers.
_HEADING_WORDS: Final = {
    "gene", "genes", "geneid", "symbol", "symbols", "id", "ids", "idref", "ref", "identifier", "name",
    "names", "probe", "probes", "probeset", "set", "feature", "features", "target", "transcript",
    "transcripts", "stable", "external", "associated", "ensembl", "hgnc", "hugo", "entrez", "ncbi",
    "refseq", "tracking", "row", "rows", "rownames", "index", "unnamed", "accession", "x", "sample",
    "samples", "sampleid", "patient", "patients", "subject", "donor", "donors", "case", "cases",
    "barcode", "cell", "cells", "run", "file", "library", "title", "version", "genename", "genesymbol",
    "symbolid", "description", "label", "code", "locus", "orf", "protein", "isoform", "region",
    "composite", "element", "hybridization", "gsm", "uid",
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """The start of a delimited file.

    Attributes
    ----------
    skipped
        The comments above the header.
    n_lines
        Number of lines above the first row.
    separator
        A tab, a comma, a semicolon, or `WHITE_SPACE`.
    header
        The column names; the first is the heading of the row names. Empty if the file has no header.
    rows
        The first rows.
    notes
        What was unusual.
    """

    skipped: list[str]
    n_lines: int
    separator: str
    header: list[str]
    rows: list[list[str]]
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.rows[0])


def read_head(text: Text) -> Head:
    """Read the header and the first rows of a delimited file.

    Comments (lines that start with # or !) and titles above the header are skipped; in a GCT file, so is the
    line after #1.2.

    Raises
    ------
    FileFormatError
        If the file does not start with a table of at least two columns.
    """
    with reader_errors(text.path, expected=TEXT_TABLE), text.open() as handle:
        skipped, lines = _first_lines(handle)
    separator, rows = _split(lines)
    width = _width(rows)
    top = next((i for i, (_, row) in enumerate(rows) if len(row) == width and not _is_title(row)), 0)
    header, first = _find_header(rows, top, width) if rows else (None, 0)
    above = [" ".join(filter(None, row)) for _, row in rows[: first - (header is not None)]]
    titles = [title for title in above if title]
    if header is None and skipped and skipped[-1].startswith("#"):
        named = split_line(skipped[-1].lstrip("# "), separator)
        header = named if len(named) == width else None
    if width < 2 or len(rows) <= first or len(rows[first][1]) != width:
        n_header = len(header or rows[0][1]) if rows else 0
        n_first = len(rows[first][1]) if len(rows) > first else 0
        msg = (
            f"{text.path} is not {TEXT_TABLE}: columns in its header: {n_header}, in its first row: "
            f"{n_first}. Expected names in the first row and the first column, separated by tabs, commas or "
            "semicolons."
        )
        raise FileFormatError(msg)
    return Head(
        skipped,
        n_lines=len(skipped) + (rows[first - 1][0] if first else 0),
        separator=separator,
        header=[name.strip() for name in header or ()],
        rows=[row for _, row in rows[first:] if len(row) == width],
        notes=(f"Lines above the header were skipped: '{titles[0]}' …",) if titles else (),
    )


def _first_lines(handle: IO[str]) -> tuple[list[str], list[str]]:
    """Read the comments and empty lines at the start of a file, and some lines below them."""
    skipped: list[str] = []
    line = handle.readline()
    while line and (line.startswith(_COMMENTS) or not line.strip()):
        skipped.append(line)
        if line.startswith("#1."):  # GCT: the next line holds the two dimensions
            skipped.append(handle.readline())
        line = handle.readline()
    lines = [line]
    while line and len(lines) <= _ROWS and (len(lines) < 3 or sum(map(len, lines)) < _CHARACTERS):
        line = handle.readline()
        lines.append(line)
    return skipped, [line for line in lines if line]


def _split(lines: list[str]) -> tuple[str, list[_Row]]:
    """Split lines at the separator that gives most rows the same number of fields."""
    best, best_share = WHITE_SPACE, 0.5
    rows = [(i, split_line(line, WHITE_SPACE)) for i, line in enumerate(lines, start=1) if line.strip()]
    for separator in "\t;,":
        reader = csv.reader(lines, delimiter=separator)
        try:
            found = [(reader.line_num, row) for row in reader if row]
        except csv.Error:  # a quotation mark without its partner
            continue
        width = _width(found)
        fits = [float(len(row) == width) for _, row in found]
        if len(found[0][1]) == width - 1:  # R writes no heading over the row names
            fits[0] = 0.5
        share = float(np.mean(fits)) if width > 1 else 0.0
        if share > best_share:
            best, rows, best_share = separator, found, share
    return best, rows


def split_line(line: str, separator: str) -> list[str]:
    """Split a line into fields."""
    line = line.rstrip("\r\n")
    if separator == WHITE_SPACE:
        return [field.strip('"') for field in line.split()]
    return next(csv.reader([line], delimiter=separator), [])


def _width(rows: list[_Row]) -> int:
    """Return the commonest number of fields, the larger one of two."""
    counted = Counter(len(row) for _, row in rows)
    return max(counted, key=lambda n: (counted[n], n), default=0)


def _is_title(row: list[str]) -> bool:
    """Whether no cell of a row has text, unless the first one."""
    return not any(field.strip() for field in row[1:])


def _find_header(rows: list[_Row], top: int, width: int) -> tuple[list[str] | None, int]:
    """Find the header of a table, and the position of its first row.

    Parameters
    ----------
    rows
        All rows.
    top
        Position of the first one that is as wide as the table.
    width
        Number of columns of the table.

    Returns
    -------
    The header, None if the first row is like those below it; and the position of the first row.
    """
    row, above = rows[top][1], rows[top - 1][1] if top else []
    body = [fields for _, fields in rows[top:] if len(fields) == width]
    if above and len(above) == width - 1 and _is_data(row, body[1:] or body):
        ends_empty = width > 2 and not any(fields[-1].strip() for fields in body)
        return ([*above, ""] if ends_empty else ["", *above]), top
    if len(above) == width + 1 and not above[-1].strip():
        return above[:-1], top
    if _is_data(row, body[1:] or body) and not _is_heading(row[0]):
        return None, top
    return row, top + 1


def _is_data(row: list[str], below: list[list[str]]) -> bool:
    """Whether a row has numbers where the rows below it have numbers."""
    columns = [j for j in range(1, len(row)) if is_number_column([fields[j] for fields in below])]
    found = [row[j].strip().lower() for j in columns]
    return any(map(is_number, found)) and all(is_number(text) or text in MISSING for text in found)


def _is_heading(name: str) -> bool:
    """Whether a name can be that of a column of names: empty, or words such as gene, ID and symbol."""
    words = [word.lower() for word in split_words(name)]
    if words[:1] == ["unnamed"]:  # pandas numbers such columns
        return True
    return all(word in _HEADING_WORDS for word in words)


def split_words(name: str) -> list[str]:
    """Split a name into its words: Entrez_Gene_Id, GeneID and entrez.gene.id have two or three."""
    return [word for word in re.split(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])", name) if word]


def is_number_column(fields: Sequence[str]) -> bool:
    """Whether most fields that are not missing are numbers; not if all are missing."""
    found = [text for field in fields if (text := field.strip().lower()) not in MISSING]
    return bool(found) and 2 * sum(map(is_number, found)) > len(found)


def is_number(text: str) -> bool:
    """Whether a text in lower case is a number, whatever its marks."""
    return bool(_NUMBER.fullmatch(text))
