"""A pool of cells represents a reference of any size; S and m are those of all cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import LabelError
from hpvade.io import open_reference
from hpvade.pp import apply_label_map, pool_reference, preprocess, reference_signature
from hpvade.pp._pool import draw_pool


@pytest.fixture
def stored(tmp_path):
    """A reference with 120 cells of three types and four donors, in memory and as a file."""
    reference = hpvade.testing.tiny_reference()
    reference.write_h5ad(tmp_path / "cells.h5ad")
    return reference, tmp_path / "cells.h5ad"


def pooled(path, *, max_cells=60, **changes):
    with open_reference(path, donor_key="donor") as file:
        return pool_reference(file, **({"labels_key": "cell_type", "max_cells": max_cells} | changes))


def test_the_signature_is_that_of_all_cells(stored, monkeypatch):
    reference, path = stored
    whole = reference_signature(preprocess(reference)).all_genes
    for block in (7, 1_000):
        monkeypatch.setattr("hpvade.pp._pool._BLOCK", block)
        pool = pooled(path)
        assert pool.n_obs <= 60
        found = reference_signature(preprocess(pool)).all_genes
        assert (found.genes, found.cell_types) == (whole.genes, whole.cell_types)
        np.testing.assert_allclose(found.cpm, whole.cpm, rtol=1e-12)
        np.testing.assert_allclose(found.rna_content, whole.rna_content, rtol=1e-12)
    del pool.varm["hpvade_sums"]  # a pool alone has another signature
    assert not np.allclose(reference_signature(preprocess(pool)).all_genes.cpm, whole.cpm, rtol=1e-3)


def test_blocks_do_not_change_the_pool_and_its_counts_are_those_of_its_cells(stored, monkeypatch):
    reference, path = stored
    pools = []
    for block in (7, 1_000):
        monkeypatch.setattr("hpvade.pp._pool._BLOCK", block)
        pools.append(pooled(path, donor_key="donor"))
    assert list(pools[0].obs_names) == list(pools[1].obs_names)
    for pool in pools:
        expected = reference[pool.obs_names].layers["counts"].toarray()
        np.testing.assert_array_equal(pool.layers["counts"].toarray(), expected)
    sizes = pools[0].obs.groupby(["cell_type", "donor"], observed=True).size()
    assert set(sizes) == {5}  # 20 cells of each of three types, evenly from four donors
    assert set(pools[0].obs["donor"]) == set(reference.obs["donor"])


def drawn(labels, donors=None, *, max_cells, seed=0):
    donors = np.zeros(len(labels), int) if donors is None else donors
    return draw_pool(labels, donors, max_cells=max_cells, rng=np.random.default_rng(seed))


def test_rare_labels_are_kept_whole_and_common_ones_get_the_same_quota():
    labels = np.repeat([0, 1, 2, 3], [3, 1000, 10, 500])
    pool = drawn(labels, max_cells=100)
    np.testing.assert_array_equal(np.bincount(labels[pool]), [3, 43, 10, 43])
    assert (np.diff(pool) > 0).all()
    np.testing.assert_array_equal(np.bincount(labels[drawn(labels, max_cells=2)]), [1] * 4)
    np.testing.assert_array_equal(drawn(labels, max_cells=10_000), np.arange(len(labels)))


def test_donors_of_a_label_take_turns_without_cells_of_other_labels():
    labels = np.repeat([0, 1], [120, 120])
    donors = np.r_[np.repeat(np.arange(60), 2), np.full(110, 60), np.full(10, 61)]
    pool = drawn(labels, donors, max_cells=100)
    np.testing.assert_array_equal(np.bincount(labels[pool]), [50, 50])
    assert np.bincount(donors[pool])[:60].max() == 1
    np.testing.assert_array_equal(np.bincount(donors[pool])[60:], [40, 10])


def test_any_cell_of_a_large_label_may_be_drawn():
    pools = [drawn(np.zeros(50, int), max_cells=10, seed=seed) for seed in range(400)]
    share = np.bincount(np.concatenate(pools), minlength=50) / 400
    np.testing.assert_allclose(share, 0.2, atol=0.08)  # 4 standard deviations of 400 draws


def test_labels_are_merged_and_dropped_with_their_sums(stored):
    reference, path = stored
    label_map = pd.DataFrame(
        [("B", "lymphocyte"), ("T", "lymphocyte"), ("Monocyte", "Monocyte"), ("", "")],
        columns=["label", "cell_type"],
    )
    one, other = (
        reference_signature(
            preprocess(apply_label_map(cells, label_map, labels_key="cell_type", name="x"))
        ).all_genes
        for cells in (reference, pooled(path))
    )
    assert one.cell_types == other.cell_types == ("Monocyte", "lymphocyte")
    np.testing.assert_allclose(other.cpm, one.cpm, rtol=1e-12)
    label_map.loc[0, "cell_type"] = ""
    dropped = apply_label_map(pooled(path), label_map, labels_key="cell_type", name="x")
    assert reference_signature(preprocess(dropped)).all_genes.cell_types == ("Monocyte", "lymphocyte")


def test_given_rna_content_is_that_of_all_cells(stored):
    content = {"B": 1.0, "Monocyte": 3.0, "T": 0.5}
    pool = pooled(stored[1])
    hpvade.HPVADE.setup_anndata(pool, rna_content=content)
    found = reference_signature(preprocess(pool)).all_genes.rna_content
    np.testing.assert_allclose(found / found[0], [1, 3, 0.5], rtol=1e-6)


def test_a_pool_whose_labels_were_changed_by_hand(stored):
    pool = pooled(stored[1])
    pool = pool[pool.obs["cell_type"] != "B"].copy()
    with pytest.raises(LabelError, match=r"a pool whose sums in varm\['hpvade_sums'\] have other labels"):
        preprocess(pool)


def test_a_model_can_be_trained_saved_and_trained_further(stored, tmp_path):
    pool = pooled(stored[1])
    hpvade.HPVADE.setup_anndata(pool)
    model = hpvade.HPVADE(pool, preset="fast", config={"train": {"max_epochs": 1}})
    model.train()
    model.save(tmp_path / "model")
    again = hpvade.HPVADE.load(tmp_path / "model", reference=pool)
    again.train(max_epochs=1)
