from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import InputError
from hpvade.pl import _latent_umap

TYPES = ["B", "T", "NK"]


@pytest.fixture
def latent():
    """Cells around three prototypes that are far apart."""
    rng = np.random.default_rng(0)
    prototypes = pd.DataFrame(np.eye(3, 5) * 20, index=TYPES)
    labels = np.tile(TYPES, 40)
    return prototypes.loc[labels].set_axis(range(120)) + rng.normal(0, 1, (120, 5)), labels, prototypes


@pytest.fixture
def plain_layout(monkeypatch):
    seen = []
    monkeypatch.setattr(
        _latent_umap, "_lay_out", lambda points, *, seed: seen.append(points) or points[:, :2]
    )
    return seen


def marks_of(axes):
    return axes.collections[0].get_offsets(), axes.collections[0].get_facecolors()


def test_cells_of_a_type_and_its_prototype_are_close(latent):
    cells, labels, prototypes = latent
    axes = hpvade.pl.latent_umap(cells, labels=labels, prototypes=prototypes)
    places, faces = marks_of(axes)
    colors = hpvade.pl.cell_type_colors(TYPES)
    middles = np.array([c.get_offsets()[0] for c in axes.collections[1:]])
    assert [text.get_text() for text in axes.texts] == TYPES
    for k, color in enumerate(colors.values()):
        of_type = np.isclose(faces[:, :3], [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]).all(1)
        assert of_type.sum() == 40
        distance = np.linalg.norm(places[of_type, None] - middles, axis=2)
        assert (distance.argmin(1) == k).all()
    again = hpvade.pl.latent_umap(cells, labels=labels, prototypes=prototypes)
    np.testing.assert_array_equal(marks_of(again)[0], places)
    other = hpvade.pl.latent_umap(cells, labels=labels, prototypes=prototypes, seed=1)
    assert not np.allclose(np.sort(marks_of(other)[0], axis=0), np.sort(places, axis=0), atol=0.1)


def test_few_cells_and_groups_far_apart_raise_no_warning():
    rng = np.random.default_rng(0)
    hpvade.pl.latent_umap(pd.DataFrame(rng.normal(size=(4, 2))), labels=list("aabb"))
    apart = pd.DataFrame(rng.normal(size=(90, 3)) + np.repeat([0, 1e3, 1e6], 30)[:, None])
    hpvade.pl.latent_umap(apart, labels=["a"] * 90)
    line = pd.DataFrame(np.outer(np.arange(30), [1, 1, 1]))
    assert np.isfinite(marks_of(hpvade.pl.latent_umap(line, labels=["a"] * 30))[0]).all()


def test_labels_without_a_prototype_follow_in_alphabetical_order(latent, plain_layout):
    cells, labels, prototypes = latent
    labels = np.where(np.arange(120) % 6 == 0, "other", labels)
    axes = hpvade.pl.latent_umap(cells, labels=labels, prototypes=prototypes.loc[["T", "B"]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["T", "B", "NK", "other"]
    without = hpvade.pl.latent_umap(cells, labels=list(labels))
    assert [text.get_text() for text in without.get_legend().get_texts()] == ["B", "NK", "T", "other"]
    assert len(without.collections) == 1


def test_at_most_20000_cells_and_the_same_with_the_same_seed(plain_layout):
    cells = pd.DataFrame(np.arange(50_000, dtype=float).reshape(25_000, 2))
    for seed in (0, 0, 1):
        hpvade.pl.latent_umap(cells, labels=["a"] * 25_000, seed=seed)
    first, again, other = plain_layout
    assert len(first) == len(np.unique(first, axis=0)) == 20_000
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_names_of_close_prototypes_do_not_overlap():
    at = np.array([[100.0, 100], [112, 100], [124, 100], [112, 110]])
    offsets = _latent_umap._offsets(at, names=["CD4 T", "CD8 T", "NK", "B"])
    places = at + np.array(offsets)
    for i in range(4):
        for j in range(i):
            apart = np.abs(places[i] - places[j])
            assert apart[1] >= 8 or apart[0] >= 10


def test_bad_input(latent):
    cells, labels, prototypes = latent
    for change, message in (
        ({"labels": labels[1:]}, "Each of the 120 cells needs a label, but there are 119"),
        ({"labels": [None, *labels[1:]]}, "but there are 119"),
        ({"cells": cells.iloc[:3], "labels": labels[:3]}, "needs at least 4 cells and 2 latent.*3 and 5"),
        ({"cells": cells[[0]]}, "120 and 1"),
        ({"cells": cells * 0}, "All 120 cells are at the same point"),
        ({"cells": cells.replace(cells.iloc[0, 0], np.nan)}, "cells has missing values in 1 of 120 rows"),
        ({"prototypes": prototypes[[0, 1]]}, "prototypes has 2 latent dimensions, but cells has 5"),
        ({"cells": cells.iloc[:0]}, "cells is empty"),
    ):
        given = {"cells": cells, "labels": labels, "prototypes": prototypes} | change
        with pytest.raises(InputError, match=message):
            hpvade.pl.latent_umap(given.pop("cells"), **given)
