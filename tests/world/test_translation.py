"""Profiles as the platform of a reference would measure them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade.world import World, translate
from hpvade.world._lineages import lineages
from hpvade.world._translation import _owners

KNOWN = 5


@pytest.fixture
def translated(world, types, symbols):
    usable = np.ones(len(symbols), dtype=bool)
    return translate(world, types[:, :KNOWN], symbols=symbols, labels=list("vwxyz"), usable=usable)


def test_types_are_matched_with_their_profiles(translated):
    assert translated.owner.tolist() == [0, 1, 2, 3, 4, -1]


def test_what_differs_between_the_platforms_cancels(translated, world, types):
    truth = types[:, KNOWN] / types[:, KNOWN].sum() * 1e6
    raw = world.level[:, KNOWN] / world.level[:, KNOWN].sum() * 1e6

    def error(cpm):
        return np.std(np.log(cpm + 25) - np.log(truth + 25))

    assert error(translated.cpm[:, KNOWN]) < 0.3
    assert error(raw) > 0.6
    np.testing.assert_allclose(translated.cpm.sum(0), 1e6)


def test_the_genes_of_a_type_that_the_reference_lacks_are_distinct(translated):
    best = np.argsort(-translated.distinct[:, KNOWN])[:80]
    assert np.mean((best >= 100 * KNOWN) & (best < 100 * (KNOWN + 1))) > 0.95
    assert (translated.distinct[:, KNOWN] > np.log(4)).sum() > 80
    assert (translated.distinct[:, :KNOWN] > np.log(4)).sum() < 5  # a known type has none


def test_the_content_of_a_cell_follows_from_the_matched_types(world, types, symbols):
    world.facts.loc["f", "rna_content"] = 3.0
    doubled = translate(
        world,
        2 * types[:, :KNOWN],
        symbols=symbols,
        labels=list("vwxyz"),
        usable=np.ones(len(symbols), dtype=bool),
    )
    mean = 2 * np.exp(np.log(types[:, :KNOWN].sum(0)).mean())
    assert doubled.content[KNOWN] == pytest.approx(3 * mean, rel=0.05)


def test_a_world_that_does_not_resemble_the_reference_is_of_no_use(world, types, symbols):
    arguments = {"symbols": symbols, "labels": list("vwxyz"), "usable": np.ones(len(symbols), bool)}
    shuffled = World(world.genes, np.random.default_rng(2).permutation(world.level), world.facts)
    assert translate(shuffled, types[:, :KNOWN], **arguments) is None
    assert translate(World.empty(), types[:, :KNOWN], **arguments) is None
    few = {**arguments, "symbols": np.where(np.arange(len(symbols)) < 100, symbols, "other")}
    assert translate(world, types[:, :KNOWN], **few) is None


@pytest.mark.parametrize(("n_filled", "are_measured"), [(10, True), (300, False)])
def test_genes_that_a_reference_only_lists_are_not_compared(world, types, symbols, n_filled, are_measured):
    """Matched profiles express them, but no type has a count; a few such genes are due to the platform."""
    level = np.vstack([world.level, np.full((n_filled, world.level.shape[1]), 100)])
    names = np.array([f"FILLED{i}" for i in range(n_filled)])
    larger = World(world.genes.append(pd.Index(names)), level, world.facts)
    counts = np.vstack([types[:, :KNOWN], np.zeros((n_filled, KNOWN))])
    filled = translate(
        larger,
        counts,
        symbols=np.concatenate([symbols, names]),
        labels=list("vwxyz"),
        usable=np.ones(len(counts), dtype=bool),
    )
    assert (filled.usable[-n_filled:] == are_measured).all()
    assert (filled.known[-n_filled:] == are_measured).all()
    assert filled.usable[:-n_filled].all()


@pytest.mark.parametrize("n_known", [KNOWN, KNOWN + 1])
def test_a_profile_made_from_markers_leaves_the_others_as_they_are(world, types, symbols, n_known):
    usable = np.ones(len(symbols), dtype=bool)
    arguments = {"symbols": symbols, "labels": list("uvwxyz")[:n_known], "usable": usable}
    made_up = world.level.mean(1)
    made_up[100 * KNOWN : 100 * (KNOWN + 1)] = 200  # the genes of f, without those that f lacks
    facts = world.facts.assign(kind=["cells"] * KNOWN + ["markers"])
    measured = World(world.genes, world.level[:, :KNOWN], facts[:KNOWN])
    larger = World(world.genes, np.column_stack([measured.level, made_up]), facts)
    without, with_markers = (translate(w, types[:, :n_known], **arguments) for w in (measured, larger))
    np.testing.assert_allclose(with_markers.cpm[:, :-1], without.cpm)
    assert with_markers.owner.tolist() == [*without.owner, -1 if n_known == KNOWN else KNOWN]


@pytest.mark.parametrize(
    ("label", "owned"),
    [
        ("cluster 7", [True, True, False]),  # both resemble the type
        ("Monocytes", [True, False, False]),
        ("mDC", [False, True, False]),
        ("NK cells", [True, True, False]),  # it resembles no NK cell: the label is not believed
    ],
)
def test_a_label_decides_which_similar_profiles_belong_to_a_type(label, owned):
    similarity = np.array([[0.8, 0.75, 0.1], [0.0, 0.0, 0.3]])
    profiles = [lineages(name) for name in ("monocytes", "dendritic cells", "NK cells")]
    owner, is_named = _owners(similarity, types=[lineages(label), lineages("other")], profiles=profiles)
    assert is_named.tolist() == [is_owned and label in ("Monocytes", "mDC") for is_owned in owned]
    assert owner.tolist() == [0 if is_owned else -1 for is_owned in owned]


def test_a_profile_may_belong_to_a_type_that_resembles_another_more():
    similarity = np.array([[0.5, 0.9]])
    profiles = [lineages(name) for name in ("monocytes", "dendritic cells")]
    assert _owners(similarity, types=[lineages("x")], profiles=profiles)[0].tolist() == [-1, 0]
    assert _owners(similarity, types=[lineages("Monocytes")], profiles=profiles)[0].tolist() == [0, -1]
    profiles = [lineages(name) for name in ("naive T cells", "memory T cells")]
    assert _owners(similarity, types=[lineages("T")], profiles=profiles)[0].tolist() == [-1, 0]
