"""Cell types and donors: columns of ``obs``, and tables of labels beside the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError, LabelError, absent_column
from hpvade.io._files import reader_errors
from hpvade.io._small_table import read_text_table

if TYPE_CHECKING:
    from pathlib import Path

# How .astype(str) writes a missing label.
_MISSING_AS_TEXT = ("", "nan", "NaN", "NA", "<NA>", "None")
_LABEL_HEADING = re.compile(
    r"cell|type|annot|label|cluster|leiden|louvain|ident|class|subset|lineage", re.IGNORECASE
)
_OTHER_HEADING = re.compile(
    r"donor|sample|batch|patient|subject|individual|^sex|gender|^age|disease|condition|tissue|organ|phase|lane|"
    r"library|assay|chemistry|orig",
    re.IGNORECASE,
)
_MOST_LABELS = 200  # a column with more different values holds no cell types
_LIBRARY = r"[-.]\d+$"  # number of the library at the end of a barcode, which many programs leave out


def is_missing_label(labels: pd.Series) -> pd.Series:
    """Return for each label whether it is missing: NaN, an empty string, or NaN as text.

    Parameters
    ----------
    labels
        Labels, shape (n_cells,).

    Returns
    -------
    Booleans, shape (n_cells,), with the same index.
    """
    return labels.isna() | labels.astype(str).str.strip().isin(_MISSING_AS_TEXT)


def as_categories(labels: pd.Series) -> pd.Series:
    """Convert labels to categories that are strings without spaces around them; missing ones become NaN."""
    text = labels.astype(object).where(~is_missing_label(labels))
    return text.map(lambda label: str(label).strip(), na_action="ignore").astype("category")


def categorise_names(
    obs: pd.DataFrame, *, labels_key: str | None, donor_key: str | None, path: Path
) -> list[str]:
    """Convert the columns of labels and donors to categories of strings, in place.

    Returns
    -------
    Which labels became equal because spaces around them were removed, as notes.

    Raises
    ------
    LabelError
        If a column is missing.
    """
    notes = []
    for key, option in ((labels_key, "labels_key"), (donor_key, "donor_key")):
        if key is None:
            continue
        if key not in obs.columns:
            place = f"the obs of {path}"
            likely = _likely_labels(obs) if key == labels_key else []
            msg = absent_column(key, obs, option=option, place=place, likely=likely)
            if key == labels_key and not likely:
                msg += " If the labels are in another file, pass it as a table with --labels."
            raise LabelError(msg)
        before = obs[key].dropna().unique()
        obs[key] = as_categories(obs[key])
        spaced = [str(name) for name in before if str(name) != str(name).strip() != ""]
        if merged := sorted(name for name in spaced if name.strip() in set(map(str, before))):
            notes.append(
                f"Spaces around names in obs['{key}'] were removed, which joined "
                f"{', '.join(map(repr, merged))} with the same names without spaces."
            )
    return notes


def _likely_labels(obs: pd.DataFrame) -> list[str]:
    """Return the columns that may hold cell types: by their heading, or else by content."""
    possible = [
        str(column)
        for column in obs
        if _may_be_labels(obs[column]) and not _OTHER_HEADING.search(str(column))
    ]
    return [column for column in possible if _LABEL_HEADING.search(column)] or possible


def _may_be_labels(column: pd.Series) -> bool:
    values = column.dropna()
    kind = pd.api.types.infer_dtype(values.cat.categories if hasattr(values, "cat") else values)
    return kind in {"string", "integer"} and 2 <= values.nunique() <= min(_MOST_LABELS, len(values) / 2)


# Tables of labels


def join_labels(
    obs: pd.DataFrame, table: Path, *, labels_key: str, path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """Join a table of labels, barcodes in its first column, to the ``obs`` of a file.

    Parameters
    ----------
    obs
        Cells × columns; a column of the table replaces one of the same name.
    table
        TSV or CSV, compressed or not, with or without a header.
    labels_key
        Column with the cell types. The only column of a table may have another name.
    path
        The file of ``obs``, for messages.

    Returns
    -------
    A new ``obs`` of the same cells, NaN where the table lists no label, and what was decided, as notes.

    Raises
    ------
    FileFormatError
        If the table cannot be read.
    LabelError
        If it lists none of the cells, lacks the column, or gives a cell two labels.
    """
    labels, cells, notes = _read_labels(table, cells=obs.index), obs.index, []
    if not labels.index.isin(cells).any():
        short = labels.set_axis(labels.index.str.replace(_LIBRARY, "", regex=True))
        cells = cells.str.replace(_LIBRARY, "", regex=True)
        if not short.index.isin(cells).any() or cells.has_duplicates:
            msg = (
                f"{table} lists none of the cells of {path}: its first column has names like "
                f"'{labels.index[:1].str.cat()}', the file like '{obs.index[:1].str.cat()}'. Put the "
                "barcodes of the file into the first column."
            )
            raise LabelError(msg)
        labels = short
        notes.append(f"Barcodes were compared with those of {table.name} without the number at their end.")
    if labels_key not in labels:
        if labels.shape[1] != 1:
            raise LabelError(absent_column(labels_key, labels, option="labels_key", place=str(table)))
        notes.append(f"The only column of {table.name}, '{labels.columns[0]}', was taken as '{labels_key}'.")
        labels.columns = pd.Index([labels_key])
    labels = labels[labels.index.isin(cells)]
    twice = labels.index[labels.index.duplicated() & ~labels.reset_index().duplicated().to_numpy()]
    if len(twice):
        msg = (
            f"{table} lists the cell '{twice[0]}' twice, with different values. Keep one line for each cell."
        )
        raise LabelError(msg)
    labels = labels[~labels.index.duplicated()].reindex(cells)
    if labels_key in obs:
        notes.append(f"The labels of {table.name} replace those in obs['{labels_key}'].")
    n_missing = int(is_missing_label(labels[labels_key]).sum())
    if n_missing:
        notes.append(f"{n_missing:,} of {len(obs):,} cells have no label in {table.name} and were left out.")
    return obs.assign(**{str(column): labels[column].to_numpy() for column in labels}), notes


def _read_labels(table: Path, *, cells: pd.Index) -> pd.DataFrame:
    """Read a table of labels, indexed by barcode."""
    with reader_errors(table, expected="a table of labels with the barcodes in its first column"):
        content = read_text_table(table)
    if content.index.equals(pd.RangeIndex(len(content))):  # otherwise R wrote no heading over the barcodes
        if str(content.columns[0]) in cells:  # no header at all
            first = pd.DataFrame([list(content.columns)], columns=content.columns)
            content = pd.concat([first, content]).set_axis(
                ["barcode", *(f"column {i}" for i in range(2, content.shape[1] + 1))], axis=1
            )
        content = content.set_index(content.columns[0])
    if not content.shape[1]:
        msg = f"{table} has one column. Give a table with the barcodes and, beside them, the cell types."
        raise FileFormatError(msg)
    content.index = pd.Index(content.index.astype(str).str.strip(), name=None)
    return content
