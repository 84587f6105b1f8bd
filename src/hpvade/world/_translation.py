"""Profiles of the world → columns that a sample can be fitted with, beside those of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp import counts_to_cpm
from hpvade.pp._spaces import MARKER_FLOOR, floored_log
from hpvade.world._likeness import EXPRESSED, LEVEL_FLOOR, MATCHED, SAME, believed, compare
from hpvade.world._lineages import T, lineages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.world._profiles import World

_MIN_TYPES = 2  # of the reference, matched with a profile
_OWNED = 0.8  # correlation of further profiles of a type, relative to that of its best profile
_RELATED = 0.6  # correlation of two profiles of one lineage
_HIGH, _FILLED = 20.0, 0.1  # level in the world; share of such genes without a count
_RATIO_FLOOR = 1.5  # of the world, where ratios of profiles are taken
_SHRUNK = 0.7  # of the ratio of the platforms' levels, for genes that no matched type expresses
_EXPONENT_RANGE = (0.7, 1.6)


@dataclass(frozen=True)
class TranslatedWorld:
    """The profiles of a world, as the platform of a reference would have measured them.

    Attributes
    ----------
    names, words
        Name of each profile, and its name for a reader; length n_profiles.
    is_measured
        Which profiles were measured, not made from markers, shape (n_profiles,).
    owner
        The type of the reference that a profile belongs to, 0 … n_types-1; -1 for a profile that the
        reference lacks. Shape (n_profiles,).
    is_named
        Whether the owner's label names the lineage of the profile, shape (n_profiles,); never for T cells.
    cpm
        Shape (n_genes, n_profiles), CPM over all genes of the reference; columns sum to 1e6.
    distinct
        Log ratio of each gene to the type of the reference that expresses it most, shape (n_genes,
        n_profiles); -inf for genes that the world does not know.
    content
        RNA content of one cell, in counts of the reference, shape (n_profiles,).
    every_tissue
        Geometric mean over the tissues and lines, shape (n_genes,), CPM: what a platform that reports signal
        for silent genes looks like.
    related
        Which profiles are of one lineage and of one owner, shape (n_profiles, n_profiles).
    usable
        Genes to compare, shape (n_genes,): those of `translate`, without those that the reference lists but
        that were not measured.
    known
        Those that the world knows, shape (n_genes,).
    """

    names: list[str]
    words: list[str]
    is_measured: NDArray[np.bool_]
    owner: NDArray[np.intp]
    is_named: NDArray[np.bool_]
    cpm: NDArray[np.float64]
    distinct: NDArray[np.float64]
    content: NDArray[np.float64]
    every_tissue: NDArray[np.float64]
    related: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    known: NDArray[np.bool_]


def translate(
    world: World,
    counts: NDArray[np.float64],
    *,
    symbols: NDArray[np.str_],
    labels: Sequence[str],
    usable: NDArray[np.bool_],
) -> TranslatedWorld | None:
    """Translate the profiles of a world onto the platform of a reference.

    A type of the reference is matched with the measured profile whose log expression, relative to the mean
    over the best profiles of all types, correlates best with the type's, relative to the mean over types. For
    gene g and profile w,

        t_gw = (h_g + f) · ((w_g + d) / (v_g + d))^γ,

    with h and v the means over the matched types and over their profiles: what all bulk samples of the world
    share cancels. f is the level that d has on the platform of the reference, times 0.7. The world compresses
    ratios between cells; the exponent γ makes the matched profiles differ as much as their types do.

    Parameters
    ----------
    world
        The profiles.
    counts
        Counts of one cell of each type, shape (n_genes, n_types).
    symbols
        Gene symbols, shape (n_genes,).
    labels
        Name of each type, length n_types.
    usable
        Genes to compare, shape (n_genes,): neither ribosomal, mitochondrial nor of haemoglobin.

    Returns
    -------
    None for an empty world, if fewer than two types match a profile, or if fewer than 200 genes are expressed
    and known.
    """
    cpm = counts / counts[usable].sum(0) * 1e6
    likeness = compare(world, cpm, symbols=symbols, usable=usable)
    if likeness is None:
        return None
    level, known = world.align(symbols)
    known &= usable
    best = likeness.best
    matched = np.flatnonzero(likeness.closest > MATCHED)
    if len(matched) < _MIN_TYPES:
        return None
    here, there = cpm[:, matched].mean(1), level[:, best[matched]].mean(1)
    usable = usable & _measured(counts, there, known=known)
    known &= usable
    translated = _translated(cpm, level, here, there, known=known, pairs=(matched, best))
    translated[~known] = here[~known, None]
    translated = counts_to_cpm(np.where(usable[:, None], translated, 0).T).T
    owner, is_named = _owners(
        likeness.similarity, types=[lineages(label) for label in labels], profiles=world.lineages
    )
    distinct = floored_log(translated, MARKER_FLOOR) - floored_log(cpm.max(1), MARKER_FLOOR)[:, None]
    distinct[~known] = -np.inf
    lineage = _lineages(np.log(level[known] + LEVEL_FLOOR))
    return TranslatedWorld(
        names=[str(name) for name in world.facts.index],
        words=[str(words) for words in world.facts["words"]],
        is_measured=world.is_measured,
        owner=owner,
        is_named=is_named,
        cpm=translated,
        distinct=distinct,
        content=_contents(world, counts[usable].sum(0), matched=matched, best=best, lineage=lineage),
        every_tissue=np.expm1(np.log1p(translated[:, _every(world)]).mean(1)),
        related=(lineage > _RELATED) & (owner == owner[:, None]),
        usable=usable,
        known=known,
    )


def _measured(
    counts: NDArray[np.float64], there: NDArray[np.float64], *, known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which genes of a reference were measured.

    A reference that was joined from others or filtered may list genes that it does not have, with zeros. They
    show in genes that the matched profiles express highly: up to 3% of these have no count if all genes were
    measured. Otherwise no gene without a count can be told from one that was not measured.
    """
    silent = np.asarray((counts <= 0).all(axis=1))
    high = known & (there >= _HIGH)
    is_filled = bool(high.any()) and float(silent[high].mean()) > _FILLED
    return np.logical_not(silent & is_filled)


def _translated(
    cpm: NDArray[np.float64],
    level: NDArray[np.float64],
    here: NDArray[np.float64],
    there: NDArray[np.float64],
    *,
    known: NDArray[np.bool_],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float64]:
    """Apply the formula of `translate`; ``pairs`` are the matched types and the best profile of each type."""
    matched, best = pairs
    scaled = known & (there > 4.0) & (here > MARKER_FLOOR)
    floor = _SHRUNK * _RATIO_FLOOR * float(np.median(here[scaled] / there[scaled])) if scaled.any() else 1.0
    expected, seen = [], []
    for k in matched:
        genes = known & ((cpm[:, k] > EXPRESSED) | (here > EXPRESSED))
        expected.append(np.log((level[genes, best[k]] + _RATIO_FLOOR) / (there[genes] + _RATIO_FLOOR)))
        seen.append(np.log((cpm[genes, k] + floor) / (here[genes] + floor)))
    spread = np.square(np.concatenate(seen)).mean() / np.square(np.concatenate(expected)).mean()
    exponent = np.clip(np.sqrt(spread), *_EXPONENT_RANGE)
    ratio = (level + _RATIO_FLOOR) / (there + _RATIO_FLOOR)[:, None]
    translated: NDArray[np.float64] = (here + floor)[:, None] * ratio**exponent
    return translated


def _owners(
    similarity: NDArray[np.float64],
    *,
    types: Sequence[frozenset[str]],
    profiles: Sequence[frozenset[str]],
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Find the type that each profile belongs to (-1: none), and whether by its label.

    It is the most similar type, if its best profile is hardly more similar to it. A label may name lineages
    (``types`` and ``profiles``), and is believed if the type resembles a profile of them: the type then owns
    profiles of these lineages only, and it owns them even if another profile is more similar. Profiles of T
    cells, which references divide into many types, have to be similar in any case.
    """
    named = believed(similarity, types=types, profiles=profiles)
    has_lineage = np.array([bool(names) for names in profiles])
    excluded = named.any(1, keepdims=True) & has_lineage & ~named
    owner = np.where(excluded, -1, similarity).argmax(0)
    closest, own = similarity.max(1)[owner], similarity[owner, np.arange(len(profiles))]
    belongs = (closest > SAME) & (own > _OWNED * closest) & ~excluded[owner, np.arange(len(profiles))]
    by_name = named.any(0) & np.array([T not in names for names in profiles])
    return np.where(by_name, np.where(named, similarity, -1).argmax(0), np.where(belongs, owner, -1)), by_name


def _lineages(log_level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of the profiles with each other, in genes that differ between them."""
    relative = log_level - log_level.mean(1, keepdims=True)
    return np.corrcoef(relative[np.abs(relative).max(1) > 1].T)


def _contents(
    world: World,
    content: NDArray[np.float64],
    *,
    matched: NDArray[np.intp],
    best: NDArray[np.intp],
    lineage: NDArray[np.float64],
) -> NDArray[np.float64]:
    """RNA content of a cell of each profile, in counts of the reference, shape (n_profiles,).

    A CD4 T cell has the content that the matched types imply, the geometric mean weighted by similarity.
    """
    relative = world.facts["rna_content"].to_numpy(np.float64)
    unit = np.log(content[matched] / relative[best[matched]])
    weight = np.exp(lineage[:, best[matched]])
    return relative * np.exp((weight * unit).sum(1) / weight.sum(1))


def _every(world: World) -> NDArray[np.bool_]:
    """Profiles of tissues and lines; all profiles of a world that has none."""
    mixed = world.is_mixed
    return mixed if mixed.any() else np.ones_like(mixed)
