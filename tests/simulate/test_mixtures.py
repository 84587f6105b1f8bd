from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import hpvade
from hpvade._errors import InputError
from hpvade.pp import counts_to_cpm, reference_signature, rna_fractions
from hpvade.simulate import SimulateConfig, draw_mixtures, simulate
from hpvade.simulate._mixtures import sum_rows


def test_the_label_is_the_realised_fraction():
    # Each type has a gene of its own with one count per cell, so the sums give the number of cells drawn.
    counts = sp.csr_matrix(np.repeat(np.eye(3, dtype=np.float32), 5, axis=0))
    types = np.repeat([0, 1, 2], 5)
    target = np.array([[0.004, 0.5, 0.496], [1, 0, 0]])
    sums, realised = draw_mixtures(counts, types, fractions=target, n_cells=10, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(sums, np.round(10 * realised))
    np.testing.assert_allclose(realised.sum(1), 1)
    assert realised[0, 0] != target[0, 0]
    np.testing.assert_array_equal(realised[1], [1, 0, 0])


def test_counts_are_of_cells_of_the_right_type():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 50, (30, 4)).astype(np.float32)
    types = rng.permutation(np.repeat([0, 1, 2], 10))
    sums, _ = draw_mixtures(
        sp.csr_matrix(counts), types, fractions=np.array([[0.0, 1.0, 0.0]] * 20), n_cells=1, rng=rng
    )
    assert all(any((row == cell).all() for cell in counts[types == 1]) for row in sums)


def test_type_without_cells_is_left_out():
    counts = sp.csr_matrix(np.ones((4, 2), dtype=np.float32))
    fractions = np.array([[0.5, 0.5], [0.0, 1.0]])
    _, realised = draw_mixtures(
        counts, np.zeros(4, int), fractions=fractions, n_cells=8, rng=np.random.default_rng(0)
    )
    np.testing.assert_array_equal(realised, [[1, 0], [1, 0]])


def test_each_type_of_a_mixture_comes_from_one_source():
    # Gene 2·type + source marks both, so a mixture shows which sources it drew from.
    types, source = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    counts = sp.csr_matrix(np.eye(4, dtype=np.float32)[2 * types + source])
    sums, _ = draw_mixtures(
        counts,
        types,
        fractions=np.full((200, 2), 0.5),
        n_cells=30,
        rng=np.random.default_rng(0),
        source=source,
    )
    used = (sums.reshape(200, 2, 2) > 0).sum(2)
    assert (used == 1).all()
    first = sums.reshape(200, 2, 2)[:, 0].argmax(1)
    assert 60 < first.sum() < 140  # 100 ± 6 standard deviations


def test_many_cells_approach_signature_times_rna_fractions(reference):
    prepared = hpvade.pp.preprocess(reference)
    prepared.obs["split"] = "train"
    config = SimulateConfig(n_mixtures=30, n_cells=20_000, sparse=0)
    mixtures = simulate(prepared, config=config, split="train", effects=False)
    signature = reference_signature(prepared).model_genes
    p = mixtures.obsm["fractions"].to_numpy()
    expected = rna_fractions(p, signature.rna_content) @ signature.cpm.T
    without_content = p @ signature.cpm.T
    error = np.abs(mixtures.X - expected).sum(1) / 1e6
    assert error.max() < 0.02  # sampling 20,000 cells gives 0.004
    assert (np.abs(mixtures.X - without_content).sum(1) / 1e6).max() > 5 * error.max()


def test_mixtures_are_cpm_and_never_logged(prepared):
    mixtures = simulate(prepared, config=SimulateConfig(n_heldout=20, depth=(1e4, 1e5)))
    np.testing.assert_allclose(mixtures.X.sum(1), 1e6, rtol=1e-5)
    assert mixtures.X.max() > 1e3
    np.testing.assert_allclose(mixtures.obsm["fractions"].sum(1), 1)


def test_mixtures_of_a_split_use_its_cells_only(prepared):
    # A gene that only held-out cells express shows up in held-out mixtures only.
    counts = prepared.layers["counts"].tolil()
    gene = int(np.flatnonzero(prepared.var["selected"])[0])
    counts[:, gene] = 0
    counts[np.flatnonzero(prepared.obs["split"] == "heldout"), gene] = 50
    prepared.layers["counts"] = counts.tocsr()
    config = SimulateConfig(n_mixtures=10, n_heldout=10, platform_width=0)
    name = prepared.var_names[gene]
    assert simulate(prepared, config=config, split="train")[:, name].X.max() == 0
    assert simulate(prepared, config=config, split="heldout")[:, name].X.min() > 0


def test_same_seed_same_mixtures(prepared):
    config = SimulateConfig(n_heldout=5)
    one, same = (simulate(prepared, config=config, seed=4) for _ in range(2))
    other = simulate(prepared, config=config, seed=5)
    np.testing.assert_array_equal(one.X, same.X)
    assert not np.array_equal(one.X, other.X)


@pytest.mark.parametrize("n_mixtures", [499, 500, 1001])
def test_blocks_of_mixtures_join_at_their_edges(n_mixtures):
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(1, (20, 5)).astype(np.float32))
    sums, _ = draw_mixtures(
        counts,
        np.zeros(20, int),
        fractions=np.ones((n_mixtures, 1)),
        n_cells=20,
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(counts_to_cpm(sums).sum(1), 1e6, rtol=1e-5)
    assert sums.sum() == pytest.approx(counts.sum() * n_mixtures, rel=0.05)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_kernel_is_the_sparse_product_for_any_number_of_threads(weighted):
    rng = np.random.default_rng(3)
    counts = sp.random(60, 40, density=0.2, format="csr", dtype=np.float32, random_state=rng)
    rows = rng.integers(0, 60, (25, 30))
    factor = rng.uniform(0.5, 2, 60).astype(np.float32) if weighted else None
    chosen = np.zeros((25, 60))
    np.add.at(chosen, (np.arange(25)[:, None], rows), 1 if factor is None else factor[rows])
    before = torch.get_num_threads()
    sums = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sums.append(sum_rows(counts, rows, weight=factor))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*sums)
    # Sums of 30 values in single precision against double precision
    np.testing.assert_allclose(sums[0], chosen @ counts.toarray(), rtol=1e-5, atol=1e-5)


def test_cells_are_drawn_with_equal_probability_within_a_type_and_source():
    # One gene per cell: the sums count how often each cell was drawn.
    types, source = np.array([1, 0, 1, 0, 1, 1]), np.array([0, 1, 2, 0, 2, 0])
    sums, _ = draw_mixtures(
        sp.csr_matrix(np.eye(6, dtype=np.float32)),
        types,
        fractions=np.full((4000, 2), 0.5),
        n_cells=10,
        rng=np.random.default_rng(0),
        source=source,
    )
    # Type 0 has two sources with one cell each; type 1 has two sources with two cells each. The standard
    # error of a mean of 4,000 mixtures is at most 0.04.
    np.testing.assert_allclose(sums.mean(0), [1.25, 2.5, 1.25, 2.5, 1.25, 1.25], atol=0.1)
    assert ((sums[:, [1, 3]] > 0).sum(1) <= 1).all()
    assert not ((sums[:, [0, 5]].sum(1) > 0) & (sums[:, [2, 4]].sum(1) > 0)).any()


def test_any_sparse_matrix_works_and_wrong_lengths_are_refused():
    counts = sp.csr_matrix(np.arange(12, dtype=np.float32).reshape(4, 3))
    given = {"fractions": np.ones((5, 1)), "n_cells": 6}
    sums = [
        draw_mixtures(kind(counts), np.zeros(4, int), rng=np.random.default_rng(0), **given)[0]
        for kind in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix)
    ]
    np.testing.assert_array_equal(sums[0], sums[1])
    np.testing.assert_array_equal(sums[0], sums[2])
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="cell_type has 9 values for 4 cells"):
        draw_mixtures(counts, np.zeros(9, int), rng=rng, **given)
    with pytest.raises(InputError, match="rna_weight has 3 values for 4 cells"):
        draw_mixtures(counts, np.zeros(4, int), rng=rng, rna_weight=np.ones(3), **given)
