"""Checks of the tables to plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import InputError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable


def table_of_numbers(table: object, *, name: str, rows: str, columns: str = "cell types") -> pd.DataFrame:
    """Check a table and return it as float64, with text as column names. NaN is allowed.

    Raises
    ------
    InputError
        It is not a table, is empty, repeats the name of a row or column, or contains values that are not
        numeric.
    """
    if not isinstance(table, pd.DataFrame):
        found = type(table).__name__
        msg = f"{name} must be a DataFrame with {rows} as rows and {columns} as columns, but is a {found}."
        raise InputError(msg)
    if table.empty:
        size = f"{table.shape[0]} {rows}, {table.shape[1]} {columns}"
        msg = f"{name} is empty ({size}), so there is nothing to draw."
        raise InputError(msg)
    table = table.set_axis(table.columns.astype(str), axis=1)
    for what, names in ((rows, table.index), (columns, table.columns)):
        if names.has_duplicates:
            msg = f"{name} contains '{names[names.duplicated()][0]}' more than once among its {what}."
            raise InputError(msg)
    try:
        numbers = table.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} contains values that are not numeric ({error})."
        raise InputError(msg) from error
    if np.isinf(numbers.to_numpy()).any():
        msg = f"{name} contains infinite values. Replace them with NaN, which is not drawn."
        raise InputError(msg)
    return numbers


def names_of(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns."""
    return [str(name) for name in table.columns]


def fraction_table(table: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Check a table, samples × cell types, with `table_of_numbers`."""
    return table_of_numbers(table, name=name, rows="samples")


def require(name: str, present: Iterable[object], *, what: str, place: str) -> None:
    """Refuse a name that is not in a table.

    Raises
    ------
    InputError
        ``name`` is not among the names ``present``.
    """
    known = [str(other) for other in present]
    if name not in known:
        shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
        msg = f"{place} has no {what} '{name}'. Available: {shown}.{suggest(name, known)}"
        raise InputError(msg)


def like(table: pd.DataFrame, other: pd.DataFrame, *, name: str, other_name: str) -> pd.DataFrame:
    """Select the samples and cell types of another table, all of which must be present.

    Raises
    ------
    InputError
        It lacks a sample or a cell type, or cannot be drawn.
    """
    numbers = fraction_table(table, name=name)
    for what, axis, wanted in (
        ("sample", numbers.index, other.index),
        ("cell type", numbers.columns, other.columns),
    ):
        if len(missing := wanted[~wanted.isin(axis)]):
            msg = f"{name} has no {what} '{missing[0]}', which is in {other_name}."
            raise InputError(msg)
    return numbers.loc[other.index, other.columns]
