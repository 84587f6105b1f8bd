from __future__ import annotations

import numpy as np
import pytest

from hpvade.pp import split_cells

TYPES = np.repeat(["A", "B", "C"], [100, 50, 10])


def heldout(split, types=TYPES):
    return {t: int((split[types == t] == "heldout").sum()) for t in np.unique(types)}


def test_stratified_by_type():
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0))
    assert heldout(split) == {"A": 20, "B": 10, "C": 2}


def test_whole_donors_are_held_out():
    donor = np.tile(["d1", "d2", "d3", "d4", "d5"], 32)
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    sides = {d: set(split[donor == d]) for d in np.unique(donor)}
    assert all(len(side) == 1 for side in sides.values())
    assert sum(side == {"heldout"} for side in sides.values()) == 1


def test_type_of_one_donor_only_is_split_by_cells():
    donor = np.where(TYPES == "C", "only", np.where(np.arange(160) % 5 == 0, "d1", "d2"))
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    assert 0 < heldout(split)["C"] < 10


def test_one_donor_is_the_same_as_none():
    donor = np.full(160, "one")
    split = split_cells(TYPES, heldout=0.2, rng=np.random.default_rng(0), donor=donor)
    assert heldout(split) == {"A": 20, "B": 10, "C": 2}


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_every_type_is_on_both_sides(share):
    split = split_cells(TYPES, heldout=share, rng=np.random.default_rng(1))
    assert all(0 < n < (t == TYPES).sum() for t, n in heldout(split).items())
