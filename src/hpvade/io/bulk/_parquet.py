"""Parquet files, as pandas and other programs write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError, InputError
from hpvade.io._files import reader_errors

from ._columns import choose_columns
from ._marks import Numbers, parse_numbers
from ._source import Table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ._source import BulkSource

_EXAMINED = 200_000  # values, to choose columns


def read_parquet(source: BulkSource) -> Table:
    """Read the columns of numbers; the index, or else a column of text, holds the names of the rows.

    Raises
    ------
    InputError
        If pyarrow is not installed.
    FileFormatError
        If the file is damaged, or has no table of names and numbers.
    """
    try:
        import pyarrow  # noqa: F401, PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        msg = (
            f"{source.path} is a Parquet file, which needs pyarrow: pip install 'hp-vade[parquet]'. "
            "Or export the table as TSV."
        )
        raise InputError(msg) from error
    with reader_errors(source.path, expected="a Parquet file"):
        frame = pd.read_parquet(source.path)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=[str(name or "") for name in frame.index.names])
    is_text = np.array([not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes], dtype=bool)
    if frame.empty or not is_text.any():
        msg = f"{source.path} has no names of genes or samples. Store them in the index or a column of text."
        raise FileFormatError(msg)
    frame = frame.iloc[:, np.argsort(~is_text, kind="stable")]  # names come first
    header = [str(name) for name in frame.columns]
    shown = frame.head(int(np.clip(_EXAMINED // len(header), 10, 100))).astype(str)
    chosen = choose_columns(source.path, header, shown.to_numpy().tolist(), genes=source.genes)
    values, notes = _to_numbers(frame.iloc[:, chosen.values], source.path)
    gene_names = None if chosen.gene_names is None else _texts(frame, chosen.gene_names)
    return Table(
        values,
        pd.Index(_texts(frame, chosen.rows).tolist()),
        pd.Index(chosen.names),
        corner=header[chosen.rows],
        gene_names=gene_names,
        orientation=None if gene_names is None else "genes x samples",
        notes=(*chosen.notes, *notes),
    )


def _texts(frame: pd.DataFrame, column: int) -> pd.Series:
    return frame.iloc[:, column].astype(object).fillna("").astype(str)


def _to_numbers(frame: pd.DataFrame, path: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Return float64 values, and how numbers that are stored as text were read."""
    values = np.empty(frame.shape)
    texts = [i for i, kind in enumerate(frame.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    written = Numbers()
    for i in texts:
        written.add(frame.iloc[:, i].dropna().astype(str))
    marks = written.marks(path)
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        if i not in texts:
            values[:, i] = column.to_numpy(np.float64, na_value=np.nan)
            continue
        values[:, i] = parse_numbers(column, marks)
        if (bad := np.isnan(values[:, i]) & column.notna().to_numpy()).any():
            msg = f"{path}: '{column[bad].iloc[0]}' in column '{column.name}' is not a number. Remove it."
            raise FileFormatError(msg)
    return values, written.note(marks)
