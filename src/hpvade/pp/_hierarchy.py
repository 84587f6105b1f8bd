"""The hierarchy of cell types: groups of types at levels from coarse to fine."""

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
_RESERVED = re.compile(r"cell_type|(.*_)?(lower|upper)")  # file names of the types, and of bounds


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Groups of cell types, at any number of levels above the types themselves.

    Attributes
    ----------
    table
        Group of each type at each level, cell types × levels, the coarsest level first; no columns without
        levels.
    """

    table: pd.DataFrame

    @property
    def levels(self) -> list[str]:
        """Names of the levels above the types, the coarsest first."""
        return [str(name) for name in self.table.columns]

    def groups(self, level: str) -> list[str]:
        """Return the groups of a level, in the order of their first type."""
        return list(dict.fromkeys(self.table[level]))

    def membership(self, level: str) -> NDArray[np.float64]:
        """Return the matrix of 0 and 1, shape (n_types, n_groups), that sums types to groups."""
        return (self.table[level].to_numpy()[:, None] == np.array(self.groups(level))).astype(np.float64)

    @classmethod
    def from_obs(cls, obs: pd.DataFrame, *, labels_key: str, levels: Sequence[str]) -> Hierarchy:
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
            A column does not exist or cannot be part of a file name, a type belongs to two groups, or a group
            belongs to two groups of a coarser level.
        """
        if isinstance(levels, str) or len(set(levels)) < len(levels):
            msg = f"levels must list different columns of obs, the coarsest first; it is {levels!r}."
            raise LabelError(msg)
        cell_type = obs[labels_key].astype(str)
        table = pd.DataFrame(index=pd.Index(sorted(cell_type.unique()), name=labels_key))
        for level in levels:
            if level not in obs:
                raise LabelError(absent_column(level, obs, option="levels", place="reference.obs"))
            if (
                not _LEVEL_NAME.fullmatch(str(level))
                or _RESERVED.fullmatch(str(level))
                or level == labels_key
            ):
                msg = f"'{level}' cannot be used as the name of a level. Rename the column, e.g. to level_1."
                raise LabelError(msg)
            missing = is_missing_label(obs[level])
            if missing.any():
                msg = f"Cell type '{cell_type[missing.to_numpy()].iloc[0]}' has no group at level '{level}'."
                raise LabelError(msg)
            table[level] = _one_group(
                cell_type, obs[level].astype(str), described="Cell type '{}'", level=level
            )
        for coarse, fine in zip(table, list(table)[1:], strict=False):
            _one_group(
                table[fine], table[coarse], described=f"Group '{{}}' of level '{fine}'", level=str(coarse)
            )
        return cls(table)


def _one_group(children: pd.Series, parents: pd.Series, *, described: str, level: str) -> pd.Series:
    """Return the parent of each child; a child with two parents is an error."""
    pairs = pd.DataFrame({"child": children.to_numpy(), "parent": parents.to_numpy()}).drop_duplicates()
    twice = pairs["child"][pairs["child"].duplicated()]
    if len(twice):
        groups = " and ".join(map(repr, pairs["parent"][pairs["child"] == twice.iloc[0]][:2]))
        child = described.format(twice.iloc[0])
        msg = f"{child} belongs to {groups} at level '{level}'. Assign it to one group of that level."
        raise LabelError(msg)
    return pairs.set_index("child")["parent"]


def levels_from_parents(parents: pd.Series) -> pd.DataFrame:
    """Convert parents, as in the Cell Ontology, to levels.

    Parameters
    ----------
    parents
        Parent of each cell type or group; empty for those at the top.

    Returns
    -------
    Cell types and groups × ``level_1`` (the top), ``level_2``, …. Types and groups
    with fewer ancestors than others are their own group at the deeper levels.

    Raises
    ------
    LabelError
        A cell type or group is its own ancestor.
    """
    if parents.empty:
        return pd.DataFrame()
    chains: dict[str, list[str]] = {}
    for name in parents.index:
        chain = [str(name)]
        while parent := str(parents.get(chain[0], "")):
            if parent in chain:
                msg = f"In the label map, '{name}' is its own ancestor. Correct the column parent."
                raise LabelError(msg)
            chain.insert(0, parent)
        chains[str(name)] = chain
    depth = max(map(len, chains.values()))
    rows = {name: (chain + [chain[-1]] * depth)[: depth - 1] for name, chain in chains.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"level_{i + 1}" for i in range(depth - 1)])
