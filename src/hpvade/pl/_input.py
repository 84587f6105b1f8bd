"""Checks of the tables that plots are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import InputError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable


def table_of_numbers(table: object, *, name: str, rows: str, columns: str = "cell types") -> pd.DataFrame:
    """Return a table as float64, its columns named by text, after checking that there is something to draw.

    NaN may be in it.

    Raises
    ------
    InputError
        It is no table, empty, names a row or column twice, or holds something that is not a number.
    """
    if not isinstance(table, pd.DataFrame):
        found = type(table).__name__
        msg = f"{name} must be a DataFrame, rows {rows}, columns {columns}, but is a {found}."
        raise InputError(msg)
    if table.empty:
        msg = (
            f"{name} is empty: {table.shape[0]} {rows}, {table.shape[1]} {columns}. There is nothing to draw."
        )
        raise InputError(msg)
    table = table.set_axis(table.columns.astype(str), axis=1)
    for what, names in ((rows, table.index), (columns, table.columns)):
        if names.has_duplicates:
            msg = f"{name} names '{names[names.duplicated()][0]}' more than once among its {what}."
            raise InputError(msg)
    try:
        numbers = table.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} has values that are not numbers ({error})."
        raise InputError(msg) from error
    if np.isinf(numbers.to_numpy()).any():
        msg = f"{name} has infinite values. Replace them by NaN, which is not drawn."
        raise InputError(msg)
    return numbers


def names_of(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns."""
    return [str(name) for name in table.columns]


def fraction_table(table: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Check a table samples × cell types as `table_of_numbers` does."""
    return table_of_numbers(table, name=name, rows="samples")


def require(wanted: str, there: Iterable[object], *, what: str, place: str) -> None:
    """Refuse a name that a table lacks.

    Raises
    ------
    InputError
        ``wanted`` is not among ``there``.
    """
    known = [str(name) for name in there]
    if wanted not in known:
        shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
        msg = f"{place} has no {what} '{wanted}'. It has: {shown}.{suggest(wanted, known)}"
        raise InputError(msg)


def like(table: pd.DataFrame, other: pd.DataFrame, *, name: str, other_name: str) -> pd.DataFrame:
    """Bring a table to the samples and cell types of another, which it must all have.

    Raises
    ------
    InputError
        It lacks a sample or a cell type, which is named, or cannot be drawn.
    """
    numbers = fraction_table(table, name=name)
    for what, axis, wanted in (
        ("sample", numbers.index, other.index),
        ("cell type", numbers.columns, other.columns),
    ):
        if len(missing := wanted[~wanted.isin(axis)]):
            msg = f"{name} lacks the {what} '{missing[0]}', which {other_name} has."
            raise InputError(msg)
    return numbers.loc[other.index, other.columns]
