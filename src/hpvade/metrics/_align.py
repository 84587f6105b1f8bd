"""Align two tables, samples × cell types, to the same samples and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from hpvade._errors import InputError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

Columns: TypeAlias = Mapping[str, Sequence[str]]


def align(
    fractions: pd.DataFrame, truth: pd.DataFrame, *, mapping: Columns | Mapping[str, Columns] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum columns to coarse types, match samples by name, and keep the types present in both.

    Parameters
    ----------
    fractions, truth
        Cell fractions, samples × cell types.
    mapping
        Coarse type → columns of ``fractions`` to sum; or a mapping of that kind for each side under
        ``"estimate"`` and ``"truth"``. Other columns are excluded.

    Returns
    -------
    Estimate and truth with equal index and equal columns, in the order of ``truth``.

    Raises
    ------
    InputError
        Names are repeated, the mapping contains missing columns, a truth sample has no estimate, the tables
        share no type, or values are missing or not numeric.
    """
    estimate_columns, truth_columns = _sides(mapping)
    e = _coarse(_named(fractions, "estimate"), estimate_columns, "estimate")
    t = _coarse(_named(truth, "truth"), truth_columns, "truth")
    if missing := [s for s in t.index if s not in e.index]:
        msg = (
            f"{len(missing)} of {len(t)} truth samples have no estimate: {_listed(missing)}."
            f"{suggest(missing[0], e.index)} Samples in the estimate: {_listed(e.index)}."
        )
        raise InputError(msg)
    types = [k for k in t.columns if k in e.columns]
    if not types:
        hints = "".join(suggest(k, e.columns) for k in t.columns)
        msg = (
            f"The estimate and the truth have no cell type in common. Estimate: {_listed(e.columns)}. "
            f"Truth: {_listed(t.columns)}.{hints} Rename the columns, or give a mapping from coarse types to "
            "columns."
        )
        raise InputError(msg)
    return _numbers(e.loc[t.index, types], "estimate"), _numbers(t[types], "truth")


def _sides(mapping: Columns | Mapping[str, Columns] | None) -> tuple[Columns | None, Columns | None]:
    """Split the mapping into one for the estimate and one for the truth; check its form."""
    if mapping is None:
        return None, None
    nested = bool(mapping) and all(isinstance(v, Mapping) for v in mapping.values())
    sides = mapping if nested else {"estimate": mapping}
    if unknown := set(sides) - {"estimate", "truth"}:
        msg = (
            f"A mapping for both tables has the keys 'estimate' and 'truth' only. Unexpected: "
            f"{_listed(unknown)}."
        )
        raise InputError(msg)
    for side in sides.values():
        for name, columns in side.items():  # type: ignore[union-attr]
            if isinstance(columns, str) or not isinstance(columns, Sequence):
                msg = f"The mapping of {name!r} must be a list of column names. Found: {columns!r}."
                raise InputError(msg)
    return sides.get("estimate"), sides.get("truth")  # type: ignore[return-value]


def _named(table: pd.DataFrame, side: str) -> pd.DataFrame:
    """Return the table with names as text; refuse repeated names."""
    named = table.set_axis(table.index.astype(str), axis=0).set_axis(table.columns.astype(str), axis=1)
    for what, names in (("samples", named.index), ("cell types", named.columns)):
        if names.has_duplicates:
            msg = f"The {side} contains {what} more than once: {_listed(names[names.duplicated()].unique())}."
            raise InputError(msg)
    if named.empty:
        msg = f"The {side} is empty: {named.shape[0]} samples, {named.shape[1]} cell types."
        raise InputError(msg)
    return named


def _coarse(table: pd.DataFrame, coarse_types: Columns | None, side: str) -> pd.DataFrame:
    """Sum the columns of each coarse type."""
    if coarse_types is None:
        return table
    wanted = list(dict.fromkeys(c for columns in coarse_types.values() for c in columns))
    if missing := [c for c in wanted if c not in table.columns]:
        msg = (
            f"The mapping contains columns that are not in the {side}: {_listed(missing)}."
            f"{suggest(missing[0], table.columns)} Columns in the {side}: {_listed(table.columns)}."
        )
        raise InputError(msg)
    numbers = _numbers(table[wanted], side)
    sums = {name: numbers[list(columns)].sum(axis=1) for name, columns in coarse_types.items()}
    return pd.DataFrame(sums, index=table.index)


def _numbers(table: pd.DataFrame, side: str) -> pd.DataFrame:
    """Return the table as float64; refuse values that are not finite."""
    try:
        numbers = table.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"The {side} contains values that are not numeric ({error})."
        raise InputError(msg) from error
    bad = ~np.isfinite(numbers.to_numpy())
    if bad.any():
        row, column = np.argwhere(bad)[0]
        msg = (
            f"{int(bad.sum())} values in the {side} are missing or infinite, the first in sample "
            f"'{table.index[row]}', cell type '{table.columns[column]}'. Fill in or remove them."
        )
        raise InputError(msg)
    return numbers


def _listed(names: Iterable[object]) -> str:
    """List names in quotes, at most ten of them."""
    listed = [f"'{name}'" for name in names]
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return ", ".join(listed[:10]) + more
