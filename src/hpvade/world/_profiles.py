"""Bulk profiles of sorted cells, tissues and cell lines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError, InputError
from hpvade.io import detect_unit, read_text_table
from hpvade.world._lineages import lineages

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_STEPS = 16  # of the stored levels per doubling
_EXPRESSED, _SILENT = 1.0, 0.03  # level, and share of the profiles that express a silent gene
_LEAST_HIGH, _HIGH = 0.05, 10.0  # quantile over the profiles, and its level, of a housekeeping gene
_USUAL_CONTENT = 1.5  # of a cell whose RNA content is not known, relative to a CD4 T cell
_CELLS, _MARKERS = "cells", "markers"
MIN_GENES = 200  # that the reference expresses and the world knows
_ENOUGH_GENES = 1_000  # to recognise logarithms


@dataclass(frozen=True)
class World:
    """Profiles of what may be in a sample.

    Attributes
    ----------
    genes
        Gene symbols, upper case, length n_genes.
    level
        Expression, linear, shape (n_genes, n_profiles). Only ratios between profiles matter.
    facts
        One row per profile: ``words`` (a name for a reader), ``kind`` (``cells``, ``tissue`` or ``line``;
        ``markers`` if the profile was made from the marker genes of a cell) and ``rna_content`` of a cell
        relative to a CD4 T cell.
    """

    genes: pd.Index
    level: NDArray[np.float32]
    facts: pd.DataFrame

    @classmethod
    def empty(cls) -> Self:
        """Return a world without profiles: unknown content is then not estimated."""
        facts = pd.DataFrame({"words": [], "kind": [], "rna_content": []})
        return cls(pd.Index([], dtype=object), np.zeros((0, 0), np.float32), facts)

    @property
    def is_measured(self) -> NDArray[np.bool_]:
        """Which profiles were measured, not made up from the markers of a cell."""
        return (self.facts["kind"] != _MARKERS).to_numpy()

    @property
    def is_mixed(self) -> NDArray[np.bool_]:
        """Which profiles are of tissues or cultured lines, not of cells as they are in blood."""
        return ~self.facts["kind"].isin([_CELLS, _MARKERS]).to_numpy()

    @cached_property
    def lineages(self) -> list[frozenset[str]]:
        """Lineages of blood cells that the name of each profile says; none for tissues and lines."""
        return [
            frozenset() if is_mixed else lineages(str(words))
            for words, is_mixed in zip(self.facts["words"], self.is_mixed, strict=True)
        ]

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """Genes that hardly any cell or tissue expresses, shape (n_genes,)."""
        return (self.level[:, self.is_measured] >= _EXPRESSED).mean(1) < _SILENT

    @cached_property
    def housekeeping(self) -> NDArray[np.bool_]:
        """Genes that nearly all cells and tissues express highly, shape (n_genes,)."""
        return np.asarray(np.quantile(self.level[:, self.is_measured], _LEAST_HIGH, axis=1) >= _HIGH)

    def check_genes(self, symbols: NDArray[np.str_]) -> None:
        """Check that the profiles have genes of these symbols; an empty world needs none.

        Raises
        ------
        InputError
            Fewer than 200 genes are shared.
        """
        if len(self.facts) and self.align(symbols)[1].sum() < MIN_GENES:
            raise self.mismatch(symbols)

    def mismatch(self, symbols: NDArray[np.str_]) -> InputError:
        """Return the error that profiles do not match a reference with genes of these symbols."""
        msg = (
            f"The given profiles do not match the reference: {int(self.align(symbols)[1].sum()):,} of its "
            f"{len(symbols):,} genes are in them, and at least two cell types must resemble a profile. The "
            "table needs gene symbols in rows and profiles in columns."
        )
        return InputError(msg)

    def locate(self, symbols: NDArray[np.str_]) -> NDArray[np.intp]:
        """Position of genes of these symbols among those of the profiles; -1 where a gene is not known.

        Case does not matter, so that mouse genes find the human ones of the same name.
        """
        return self.genes.get_indexer(pd.Index(symbols).str.upper())

    def align(self, symbols: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the levels in genes of these symbols, and which of the genes are known; see `locate`."""
        position = self.locate(symbols)
        known = position >= 0
        level = np.zeros((len(position), self.level.shape[1]))
        level[known] = self.level[position[known]]
        return level, known


@cache
def shipped_world() -> World:
    """Return the profiles that the package ships: the Human Protein Atlas, see ``world/LICENSE``."""
    folder = files("hpvade.world")
    with (folder / "profiles.tsv").open() as file:
        facts = pd.read_csv(file, sep="\t", index_col="profile")
    with (folder / "profiles.npz").open("rb") as binary, np.load(binary) as stored:
        level = np.exp2(stored["level"].astype(np.float32) / _STEPS) - 1
        return World(pd.Index(stored["genes"]).str.upper(), level, facts)


def read_world(path: Path) -> World:
    """Read profiles from a table.

    Parameters
    ----------
    path
        TSV or CSV (also .gz): gene symbols in the first column, then one column per profile, linear
        expression. The name of a column is the name that a reader sees.

    Raises
    ------
    FileFormatError
        The table cannot be read, has fewer than two profiles, a value is missing or negative, the values are
        logarithms, or a name contains a semicolon, which separates names in the results.
    """
    try:
        text = read_text_table(path)
        table = text.set_index(text.columns[0]).astype(np.float32)
    except (OSError, ValueError) as error:
        msg = f"The table of profiles {path} cannot be read ({error}). Pass a table of genes × profiles."
        raise FileFormatError(msg) from error
    if table.shape[1] < 2 or not np.isfinite(table.to_numpy()).all() or (table.to_numpy() < 0).any():
        msg = (
            f"The table of profiles {path} must have at least two profiles, and linear values without gaps: "
            f"it has {table.shape[1]}, and values from {table.min().min():g} to {table.max().max():g}."
        )
        raise FileFormatError(msg)
    if len(table) >= _ENOUGH_GENES and detect_unit(table.to_numpy(np.float64).T) == "log":
        msg = f"The values of the table of profiles {path} look like logarithms. Provide linear values."
        raise FileFormatError(msg)
    if any(";" in str(name) for name in table):
        msg = f"The table of profiles {path} has a name with a semicolon. Rename the column."
        raise FileFormatError(msg)
    table = table.groupby(table.index.astype(str).str.upper()).sum()
    facts = pd.DataFrame(
        {"words": table.columns, "kind": _CELLS, "rna_content": _USUAL_CONTENT},
        index=pd.Index(table.columns, name="profile"),
    )
    return World(table.index, table.to_numpy(), facts)
