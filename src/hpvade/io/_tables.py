"""Readers of tables of expression: delimited text, GCT, and AnnData files."""

from __future__ import annotations

import csv
import re
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError

from ._files import foreign_reader, is_gzip, open_text, read_anndata

if TYPE_CHECKING:
    from pathlib import Path

    from pandas.io.parsers import TextFileReader

    from hpvade._types import BulkUnit

Orientation = Literal["genes x samples", "samples x genes"]

_TEXT = "a delimited text table"
_LOOKED_AT = 100  # rows that tell how numbers are written
_DECIMAL_COMMA, _DECIMAL_POINT = (
    re.compile(rf'[\t; ]"?-?\d+{mark}\d+"?(?=[\t; \r\n]|$)') for mark in (",", r"\.")
)
_IN_MEMORY = 2**25  # numbers of a table, 256 MB; a larger one goes to disk by parts
_GENE_NAME_COLUMNS = ("gene_name", "gene_symbol", "symbol", "description")
_ANNDATA_GENE_NAMES = ("gene_name", "gene_symbol", "feature_name")


@dataclass(frozen=True)
class Table:
    """Expression as it stands in a file: float64 values with named rows and columns.

    ``corner`` is the heading of the row names. ``gene_names`` (second names of the genes), ``unit`` and
    ``orientation`` are None where the format does not fix them.
    """

    values: pd.DataFrame
    format: str
    corner: str = ""
    gene_names: pd.Series | None = None
    unit: BulkUnit | None = None
    orientation: Orientation | None = None


@dataclass(frozen=True)
class Head:
    """How a delimited file begins: the lines above the header, its fields, and how numbers are written."""

    skipped: list[str]
    separator: str
    header: list[str]
    format: str
    decimal: str = "."


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a small table that a user wrote, all of it as text; separated by tabs, commas or semicolons.

    Raises
    ------
    OSError, ValueError
        It cannot be opened, or is no such table.
    """
    with open_text(path) as handle:
        separator = max("\t,;", key=handle.readline().count)
        handle.seek(0)
        return pd.read_csv(handle, sep=separator, dtype=str, keep_default_na=False)


def read_head(path: Path) -> Head:
    """Read the header of a delimited file; a GCT file's two first lines count as skipped.

    Raises
    ------
    FileFormatError
        If the file has no header of at least two columns with a row below it.
    """
    skipped: list[str] = []
    with foreign_reader(path, expected=_TEXT), open_text(path) as handle:
        line = handle.readline()
        while line.startswith(("# ", "##", "#1.")):
            skipped.append(line)
            if line.startswith("#1."):  # GCT: the next line holds the two dimensions
                skipped.append(handle.readline())
            line = handle.readline()
        first_row = handle.readline()
        more = [handle.readline() for _ in range(_LOOKED_AT)]
    separator = _sniff(line)
    header, row = _split(line, separator), _split(first_row, separator)
    if len(row) == len(header) + 1:  # R writes no heading over the row names
        header = ["", *header]
    if len(header) < 2 or len(row) != len(header):
        msg = (
            f"{path} is not {_TEXT}: its header has {len(header)} columns and its first row {len(row)}. "
            "Expected names in the first row and the first column, separated by tabs, commas or semicolons."
        )
        raise FileFormatError(msg)
    numbers = "".join((first_row, *more)) if separator != "," else ""
    has_comma = not _DECIMAL_POINT.search(numbers) and bool(_DECIMAL_COMMA.search(numbers))
    return Head(
        skipped,
        separator,
        header,
        {"\t": "tsv", ",": "csv", ";": "csv"}.get(separator, "text"),
        decimal="," if has_comma else ".",
    )


def read_columns(path: Path, head: Head, *, first: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the columns before ``first`` as text, and the others as numbers.

    Returns
    -------
    The text, shape (rows, first), columns 0, 1, …; and the numbers (float64), shape (rows, columns -
    first), with the rows named by the file's first column. Those of a large table are in a temporary file
    that vanishes with them.

    Raises
    ------
    FileFormatError
        If a value is not a number, or the last line is cut off.
    """
    names = head.header[first:]
    texts, numbers = [], []
    with (
        foreign_reader(path, expected=_TEXT),
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
            _refuse_cut_line(path, head)
        text = pd.concat(texts)
        if numbers:
            values = numbers[0].to_numpy()
        else:
            disk.flush()
            values = np.memmap(disk, dtype=np.float64, mode="r", shape=(len(text), len(names)))
    return text, pd.DataFrame(values, index=pd.Index(list(text[0])), columns=names, copy=False)


def _parts(path: Path, head: Head, *, first: int) -> TextFileReader:
    """Open the rows of a table, to be read by parts of ``_IN_MEMORY`` numbers."""
    return pd.read_csv(
        path,
        sep=head.separator,
        decimal=head.decimal,
        header=None,
        skiprows=len(head.skipped) + 1,
        converters=dict.fromkeys(range(first), str.strip),  # a name may be NA or None; it is no number
        compression="gzip" if is_gzip(path) else None,
        encoding="utf-8-sig",
        low_memory=False,
        chunksize=max(_IN_MEMORY // len(head.header), 1),
    )


def read_delimited(path: Path, head: Head) -> Table:
    """Read a plain table, genes × samples or samples × genes, maybe with a second column of gene names."""
    has_gene_names = len(head.header) > 2 and head.header[1].lower() in _GENE_NAME_COLUMNS
    text, values = read_columns(path, head, first=2 if has_gene_names else 1)
    return Table(
        values,
        head.format,
        corner=head.header[0],
        gene_names=text[1].set_axis(values.index) if has_gene_names else None,
        orientation="genes x samples" if has_gene_names else None,
    )


def read_gct(path: Path, head: Head) -> Table:
    """Read a GCT 1.2 table: two lines of version and dimensions, then Name, Description, and samples."""
    dimensions = head.skipped[1].split()
    if not head.skipped[0].startswith("#1.2") or len(dimensions) < 2:
        msg = f"{path} is not a GCT file of version 1.2 (its first line is not '#1.2'); export it as 1.2."
        raise FileFormatError(msg)
    text, values = read_columns(path, head, first=2)
    if [str(n) for n in values.shape] != dimensions[:2]:
        msg = (
            f"{path} is truncated or mislabelled: its second line promises {dimensions[0]} genes and "
            f"{dimensions[1]} samples, it holds {values.shape[0]} and {values.shape[1]}; fetch it again."
        )
        raise FileFormatError(msg)
    gene_names = text[1].set_axis(values.index)
    return Table(values, "gct", gene_names=gene_names, orientation="genes x samples")


def read_anndata_table(path: Path) -> Table:
    """Read X (samples × genes) of an h5ad file or a zarr folder."""
    adata = read_anndata(path)
    file_format = "zarr" if path.is_dir() else "h5ad"
    if adata.X is None or 0 in adata.shape:
        msg = f"{path} holds no matrix X of samples and genes; put the bulk's values there."
        raise FileFormatError(msg)
    values = adata.to_df().astype(np.float64)
    return Table(values, file_format, gene_names=gene_names_of(adata.var), orientation="samples x genes")


def gene_names_of(var: pd.DataFrame) -> pd.Series | None:
    """Second names of the genes of an AnnData file, if it has some."""
    return next((var[key].astype(str) for key in _ANNDATA_GENE_NAMES if key in var), None)


def _sniff(header: str) -> str:
    """Return the separator that occurs most often; white space if none does."""
    separator = max("\t,;", key=header.count)
    return separator if separator in header else r"\s+"


def _split(line: str, separator: str) -> list[str]:
    line = line.rstrip("\r\n")
    if separator == r"\s+":
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
                "point or comma elsewhere: remove other columns and rows."
            )
            raise FileFormatError(msg)
        numbers[column] = numeric.astype(np.float64)
    return pd.DataFrame(numbers)


def _refuse_cut_line(path: Path, head: Head) -> None:
    with open_text(path) as handle:
        last = deque((line for line in handle if line.strip()), maxlen=1)[0]
    if len(_split(last, head.separator)) < len(head.header):
        msg = f"{path} is truncated: its last line has fewer columns than its header; fetch it again."
        raise FileFormatError(msg)
