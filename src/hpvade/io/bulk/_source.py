"""What the readers of bulk tables take and return."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hpvade._errors import InputError
from hpvade._titles import UNIT_TITLES
from hpvade.io._compression import Text
from hpvade.io._content import Content, find_content

from ._head import Head, read_head

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import ExitStack

    import pandas as pd
    from numpy.typing import NDArray

    from hpvade._types import BulkUnit

    from ._orientation import Orientation

# Reads outside genes, as STAR and HTSeq list them.
_TALLY: Final = (
    r"N_(unmapped|multimapping|noFeature|ambiguous)"
    r"|__ambiguous|(__)?(no_feature|too_low_aQual|not_aligned|alignment_not_unique)"
)


@dataclass(frozen=True)
class Table:
    """Expression as stored in a file.

    Attributes
    ----------
    values
        float64 array, or a matrix on disk that can be sliced by rows.
    rows, columns
        Their names.
    corner
        The heading of the row names.
    gene_names
        Second names of the genes; None if there are none.
    unit, orientation
        None where the format does not define them. A matrix on disk is always samples × genes.
    notes
        What was guessed, changed or left out.
    """

    values: Any
    rows: pd.Index
    columns: pd.Index
    corner: str = ""
    gene_names: pd.Series | None = None
    unit: BulkUnit | None = None
    orientation: Orientation | None = None
    notes: tuple[str, ...] = ()


@dataclass
class BulkSource:
    """A file or folder with a bulk table, its format not known yet.

    Attributes
    ----------
    path
        The file or folder.
    unit
        The unit that the user stated; some formats hold several.
    genes
        Known gene names.
    stack
        Closes what stays open while the table is read by blocks.
    """

    path: Path
    unit: BulkUnit
    genes: Collection[str]
    stack: ExitStack

    @cached_property
    def content(self) -> Content:
        """What the file or folder is."""
        return find_content(self.path, expected="a bulk table")

    @cached_property
    def text(self) -> Text:
        """The text of the file."""
        return Text(self.path)

    @cached_property
    def head(self) -> Head:
        """The head of a text file."""
        return read_head(self.text)

    def new_file(self, name: str) -> Path:
        """Return the path of a new temporary file, which is deleted when the table is closed."""
        return Path(self.stack.enter_context(TemporaryDirectory())) / name

    def choose_unit(self, units: Sequence[BulkUnit]) -> BulkUnit:
        """Choose one of the units that a file has: what the user stated, otherwise the first.

        Raises
        ------
        InputError
            If the file does not have the unit that the user stated.
        """
        if self.unit == "auto":
            return units[0]
        if self.unit not in units:
            has = " and ".join(UNIT_TITLES[unit] for unit in units)
            msg = (
                f"{self.path} has {has}, but not the unit '{self.unit}' that was given. Pass --bulk-unit "
                f"{' or '.join(units)}."
            )
            raise InputError(msg)
        return self.unit

    @property
    def is_text(self) -> bool:
        """Whether it is a text file."""
        return self.content.kind == "text"


@dataclass(frozen=True)
class Reader:
    """A reader of a format.

    Attributes
    ----------
    recognises
        Whether a file or folder has this format.
    read
        Reads or opens the table.
    """

    recognises: Callable[[BulkSource], bool]
    read: Callable[[BulkSource], Table]


def of_kind(kind: str) -> Callable[[BulkSource], bool]:
    """Recognise what has this kind of content."""
    return lambda source: source.content.kind == kind


def with_head(recognises: Callable[[Head], bool]) -> Callable[[BulkSource], bool]:
    """Turn a rule about the head of a text file into one about any file or folder."""
    return lambda source: source.is_text and recognises(source.head)


def dense_table(values: pd.DataFrame, **known: Any) -> Table:  # noqa: ANN401 - other fields of `Table`
    """Return a table of values in memory."""
    return Table(values.to_numpy(), values.index, values.columns, **known)


def is_tally(names: pd.Index) -> NDArray[np.bool_]:
    """Whether names are those by which STAR and HTSeq count reads outside genes."""
    return np.asarray(names.astype(str).str.fullmatch(_TALLY), dtype=bool)


def without_tallies(table: Table) -> Table:
    """Leave out the reads outside genes, which programs that count reads list among the genes."""
    if not isinstance(table.values, np.ndarray):
        return table
    rows, columns = ~is_tally(table.rows), ~is_tally(table.columns)
    if rows.all() and columns.all():
        return table
    gene_names = table.gene_names if table.gene_names is None else table.gene_names[rows]
    return replace(
        table,
        values=table.values[rows][:, columns],
        rows=table.rows[rows],
        columns=table.columns[columns],
        gene_names=gene_names,
    )
