"""How much each type of a reference resembles each profile of a world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp._spaces import MARKER_FLOOR
from hpvade.world._profiles import MIN_GENES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.world._profiles import World

EXPRESSED = 50.0  # CPM
_N_COMPARED = 1_500  # genes that differ most between types and between profiles
_ROUNDS = 3
LEVEL_FLOOR = 3.0  # level in the world
_MARGIN = 0.15  # of the correlation with cells of other lineages
MATCHED, SAME = 0.42, 0.5  # correlations: of a type with its profile, and from which it is that kind of cell


@dataclass(frozen=True)
class Likeness:
    """Resemblance of the types of a reference to the profiles of a world.

    Attributes
    ----------
    world
        The profiles.
    similarity
        Correlation in log space by genes, shape (n_types, n_profiles), with types relative to the mean over
        types, and profiles relative to the mean over the best measured profiles of all types.
    """

    world: World
    similarity: NDArray[np.float64]

    @cached_property
    def best(self) -> NDArray[np.intp]:
        """The measured profile that each type resembles most, shape (n_types,)."""
        return np.where(self.world.is_measured, self.similarity, -1).argmax(1)

    @cached_property
    def closest(self) -> NDArray[np.float64]:
        """Its correlation, shape (n_types,)."""
        return self.similarity[np.arange(len(self.similarity)), self.best]

    def cells_of(self, cell_type: int) -> str:
        """Words for the sorted cells that a type clearly is; empty for none, or a tissue or line."""
        best, of = self.best[cell_type], self.world.lineages
        others = [not of[best] & names for names in of]
        margin = self.closest[cell_type] - self.similarity[cell_type, others].max(initial=0)
        is_clear = self.closest[cell_type] > SAME and margin > _MARGIN and not self.world.is_mixed[best]
        return str(self.world.facts["words"].iloc[best]) if is_clear else ""

    def agrees(self, cell_type: int, lineages: frozenset[str]) -> bool:
        """Tell whether a type resembles a profile of some lineages."""
        return bool(
            believed(self.similarity[[cell_type]], types=[lineages], profiles=self.world.lineages).any()
        )


def believed(
    similarity: NDArray[np.float64],
    *,
    types: Sequence[frozenset[str]],
    profiles: Sequence[frozenset[str]],
) -> NDArray[np.bool_]:
    """Tell which profiles each type resembles whose lineage its label names too, shape (n_types, n_profiles).

    ``types`` and ``profiles`` are the lineages that their names say.
    """
    return np.array([[bool(a & b) for b in profiles] for a in types]) & (similarity > MATCHED)


def compare(
    world: World, cpm: NDArray[np.float64], *, symbols: NDArray[np.str_], usable: NDArray[np.bool_]
) -> Likeness | None:
    """Compare the types of a reference with the profiles of a world.

    Parameters
    ----------
    world
        The profiles.
    cpm
        Expression of each type, shape (n_genes, n_types), CPM over the usable genes.
    symbols
        Gene symbols, shape (n_genes,).
    usable
        Genes to compare, shape (n_genes,).

    Returns
    -------
    None for an empty world, a single type, or if fewer than 200 genes are expressed and known.
    """
    if not len(world.facts) or cpm.shape[1] < 2:
        return None
    level, known = world.align(symbols)
    compared = known & usable & (cpm.max(1) > EXPRESSED)
    if compared.sum() < MIN_GENES:
        return None
    types, profiles = np.log(cpm[compared] + MARKER_FLOOR), np.log(level[compared] + LEVEL_FLOOR)
    return Likeness(world, _similarity(types, profiles, is_measured=world.is_measured))


def _similarity(
    types: NDArray[np.float64], profiles: NDArray[np.float64], *, is_measured: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Correlation of each type with each profile, (n_types, n_profiles), both in log space by genes.

    Profiles are centred on the mean over the best measured profiles of all types, which is found in three
    rounds.
    """
    n_types = types.shape[1]
    types = types - types.mean(1, keepdims=True)
    centre = profiles[:, is_measured].mean(1, keepdims=True)
    for _ in range(_ROUNDS):
        relative = profiles - centre
        spread = types.std(1) + relative[:, is_measured].std(1)
        differing = np.argsort(-spread, kind="stable")[:_N_COMPARED]
        similarity = np.corrcoef(types[differing].T, relative[differing].T)[:n_types, n_types:]
        best = np.where(is_measured, similarity, -1).argmax(1)
        centre = profiles[:, best].mean(1, keepdims=True)
    return np.asarray(similarity)
