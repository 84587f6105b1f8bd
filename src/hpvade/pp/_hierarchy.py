"""Levels of cell types: which groups the types of a reference form, from coarse to fine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import LabelError, absent_column
from hpvade.io import is_missing_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEVEL_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_TAKEN = re.compile(r"cell_type|(.*_)?(lower|upper)")  # by the types themselves, and by bounds


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Groups of cell types, at any number of levels above the types themselves.

    Attributes
    ----------
    table
        Group of each type at each level, cell types × levels, the coarsest level first. No columns: none.
    """

    table: pd.DataFrame

    @property
    def levels(self) -> list[str]:
        """Names of the levels above the types, the coarsest first."""
        return [str(name) for name in self.table.columns]

    def groups(self, level: str) -> list[str]:
        """Name the groups of a level, in the order of their first type."""
        return list(dict.fromkeys(self.table[level]))

    def membership(self, level: str) -> NDArray[np.float64]:
        """Matrix of 0 and 1, shape (n_types, n_groups), that sums types to groups."""
        return (self.table[level].to_numpy()[:, None] == np.array(self.groups(level))).astype(np.float64)


def hierarchy_of(obs: pd.DataFrame, *, labels_key: str, levels: Sequence[str]) -> Hierarchy:
    """Read the hierarchy from the cells of a reference.

    Parameters
    ----------
    obs
        One row for each cell.
    labels_key
        Column with the cell type.
    levels
        Columns with the groups, the coarsest first.

    Raises
    ------
    LabelError
        A column does not exist or cannot name a file, a type is of two groups, or a group of one level is
        parted at a coarser one.
    """
    if isinstance(levels, str) or len(set(levels)) < len(levels):
        msg = f"levels is a list of different columns of obs, the coarsest first, but it is {levels!r}."
        raise LabelError(msg)
    cell_type = obs[labels_key].astype(str)
    table = pd.DataFrame(index=pd.Index(sorted(cell_type.unique()), name=labels_key))
    for level in levels:
        if level not in obs:
            raise LabelError(absent_column(level, obs, option="levels", place="reference.obs"))
        if not _LEVEL_NAME.fullmatch(str(level)) or _TAKEN.fullmatch(str(level)) or level == labels_key:
            msg = f"'{level}' cannot name a level and, with it, a file. Rename the column, e.g. to level_1."
            raise LabelError(msg)
        missing = is_missing_label(obs[level])
        if missing.any():
            msg = f"Cell type '{cell_type[missing.to_numpy()].iloc[0]}' has no group at level '{level}'."
            raise LabelError(msg)
        table[level] = _one_group(cell_type, obs[level].astype(str), what="Cell type", level=level)
    for coarse, fine in zip(table, list(table)[1:], strict=False):
        _one_group(table[fine], table[coarse], what=f"Of level '{fine}', group", level=str(coarse))
    return Hierarchy(table)


def _one_group(children: pd.Series, parents: pd.Series, *, what: str, level: str) -> pd.Series:
    """Parent of each child, each of which must have one."""
    pairs = pd.DataFrame({"child": children.to_numpy(), "parent": parents.to_numpy()}).drop_duplicates()
    twice = pairs["child"][pairs["child"].duplicated()]
    if len(twice):
        groups = " and ".join(map(repr, pairs["parent"][pairs["child"] == twice.iloc[0]][:2]))
        msg = f"{what} '{twice.iloc[0]}' is of {groups} at level '{level}'. Each must be of one group."
        raise LabelError(msg)
    return pairs.set_index("child")["parent"]


def levels_of_parents(parent_of: pd.Series) -> pd.DataFrame:
    """Turn parents, as in the Cell Ontology, into levels.

    Parameters
    ----------
    parent_of
        Parent of each cell type or group; empty for those at the top.

    Returns
    -------
    Cell types and groups × ``level_1`` (the top), ``level_2``, …; whose chain of parents is shorter than
    others stays what it is below its end.

    Raises
    ------
    LabelError
        A chain of parents comes back to where it began.
    """
    if parent_of.empty:
        return pd.DataFrame()
    chains: dict[str, list[str]] = {}
    for name in parent_of.index:
        chain = [str(name)]
        while parent := str(parent_of.get(chain[0], "")):
            if parent in chain:
                msg = f"In the label map, '{name}' is among its own parents."
                raise LabelError(msg)
            chain.insert(0, parent)
        chains[str(name)] = chain
    depth = max(map(len, chains.values()))
    rows = {name: (chain + [chain[-1]] * depth)[: depth - 1] for name, chain in chains.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"level_{i + 1}" for i in range(depth - 1)])
