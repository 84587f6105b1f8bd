"""Two tables samples × cell types brought to the same samples and the same types."""

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
    """Sum columns to coarse types, match samples by name, and keep the types that both have.

    Parameters
    ----------
    fractions, truth
        Cell fractions, samples × cell types.
    mapping
        Coarse type → columns of ``fractions`` to sum; or a mapping of that kind for each side under
        ``"estimate"`` and ``"truth"``. Columns that it does not name are left out.

    Returns
    -------
    Estimate and truth with equal index and equal columns, in the order of ``truth``.

    Raises
    ------
    InputError
        Names are repeated, the mapping names missing columns, a truth sample has no estimate, no type
        is common, or values are missing or not numbers.
    """
    for_estimate, for_truth = _sides(mapping)
    e = _coarse(_named(fractions, "estimate"), for_estimate, "estimate")
    t = _coarse(_named(truth, "truth"), for_truth, "truth")
    if lost := [s for s in t.index if s not in e.index]:
        msg = (
            f"{len(lost)} of {len(t)} truth samples have no estimate: {_some(lost)}."
            f"{suggest(lost[0], e.index)} The estimate has: {_some(e.index)}."
        )
        raise InputError(msg)
    types = [k for k in t.columns if k in e.columns]
    if not types:
        hints = "".join(suggest(k, e.columns) for k in t.columns)
        msg = (
            f"The estimate and the truth have no cell type in common. Estimate: {_some(e.columns)}. "
            f"Truth: {_some(t.columns)}.{hints} Give a mapping from coarse types to columns."
        )
        raise InputError(msg)
    return _numbers(e.loc[t.index, types], "estimate"), _numbers(t[types], "truth")


def _sides(mapping: Columns | Mapping[str, Columns] | None) -> tuple[Columns | None, Columns | None]:
    """Split the mapping into that of the estimate and that of the truth; check its form."""
    if mapping is None:
        return None, None
    nested = bool(mapping) and all(isinstance(v, Mapping) for v in mapping.values())
    sides = mapping if nested else {"estimate": mapping}
    if unknown := set(sides) - {"estimate", "truth"}:
        msg = f"A mapping for each side has the keys 'estimate' and 'truth', but also {_some(unknown)}."
        raise InputError(msg)
    for side in sides.values():
        for name, columns in side.items():  # type: ignore[union-attr]
            if isinstance(columns, str) or not isinstance(columns, Sequence):
                msg = f"The mapping of {name!r} must be a list of column names, but is {columns!r}."
                raise InputError(msg)
    return sides.get("estimate"), sides.get("truth")  # type: ignore[return-value]


def _named(table: pd.DataFrame, side: str) -> pd.DataFrame:
    """Return the table with names as text, after checking that none is repeated."""
    named = table.set_axis(table.index.astype(str), axis=0).set_axis(table.columns.astype(str), axis=1)
    for what, names in (("samples", named.index), ("cell types", named.columns)):
        if names.has_duplicates:
            msg = f"The {side} names {what} more than once: {_some(names[names.duplicated()].unique())}."
            raise InputError(msg)
    if named.empty:
        msg = f"The {side} is empty: {named.shape[0]} samples, {named.shape[1]} cell types."
        raise InputError(msg)
    return named


def _coarse(table: pd.DataFrame, columns_of: Columns | None, side: str) -> pd.DataFrame:
    """Sum the columns of each coarse type; every sum is of numbers, so check those first."""
    if columns_of is None:
        return table
    wanted = list(dict.fromkeys(c for columns in columns_of.values() for c in columns))
    if missing := [c for c in wanted if c not in table.columns]:
        msg = (
            f"The mapping names columns that the {side} lacks: {_some(missing)}."
            f"{suggest(missing[0], table.columns)} It has: {_some(table.columns)}."
        )
        raise InputError(msg)
    numbers = _numbers(table[wanted], side)
    sums = {name: numbers[list(columns)].sum(axis=1) for name, columns in columns_of.items()}
    return pd.DataFrame(sums, index=table.index)


def _numbers(table: pd.DataFrame, side: str) -> pd.DataFrame:
    """Return the table as float64, or say where it is not finite."""
    try:
        numbers = table.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"The {side} has values that are not numbers ({error})."
        raise InputError(msg) from error
    bad = ~np.isfinite(numbers.to_numpy())
    if bad.any():
        row, column = np.argwhere(bad)[0]
        msg = (
            f"{int(bad.sum())} values of the {side} are missing or infinite, the first in sample "
            f"'{table.index[row]}', cell type '{table.columns[column]}'. Fill or drop them."
        )
        raise InputError(msg)
    return numbers


def _some(names: Iterable[object], *, most: int = 10) -> str:
    """List names in quotes, at most ten of them."""
    listed = [f"'{name}'" for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
