from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hpvade import _keys
from hpvade.pp import PreprocessConfig, cell_states, preprocess
from hpvade.pp._spaces import PROFILE_FLOOR

N_GENES = 120


def cells_of_two_states(rng, *, platform=1.0, n_cells=120, shares=(0.5, 0.5)):
    """A type with two states that differ in twenty genes each, and a type without; which cell is which."""
    base = rng.gamma(2.0, 2.0, N_GENES)
    profiles = np.tile(base, (3, 1))
    profiles[0, :20] *= 6
    profiles[1, 20:40] *= 6
    profiles[:2, 40:50] *= 8
    profiles[2, 50:60] *= 8
    state = np.concatenate([rng.choice(2, n_cells, p=shares), np.full(n_cells, 2)])
    counts = rng.poisson(profiles[state] * platform).astype(np.float32)
    obs = pd.DataFrame(
        {"cell_type": np.where(state == 2, "plain", "mixed")}, index=[f"c{i}" for i in range(len(state))]
    )
    genes = pd.DataFrame(index=[f"G{i:03}" for i in range(N_GENES)])
    cells = anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=genes)
    cells.layers[_keys.COUNTS] = cells.X.copy()
    return cells, state


def prepare(cells, n_states):
    config = PreprocessConfig(n_genes=N_GENES, n_states=n_states)
    return preprocess(cells, labels_key="cell_type", config=config)


def expected_change(cells, chosen, whole):
    def log_profile(mask):
        summed = np.asarray(cells.X[mask].sum(0), dtype=float).ravel()
        return np.log(summed / summed.sum() * 1e6 + PROFILE_FLOOR)

    return log_profile(chosen) - log_profile(whole)


def test_simulated_states_are_found():
    cells, state = cells_of_two_states(np.random.default_rng(0), shares=(0.7, 0.3))
    found = cell_states(prepare(cells, 2))
    assert found.cell_type.tolist() == [0, 0, 1, 1]
    mixed = found.log_change[:, :2]
    order = np.argsort(-mixed[0])  # state 0 has more of the first gene
    for column, s in zip(order, (0, 1), strict=True):
        np.testing.assert_allclose(mixed[:, column], expected_change(cells, state == s, state < 2), atol=1e-9)


def test_a_platform_is_not_a_state():
    rng = np.random.default_rng(1)
    platform = np.exp(rng.normal(0, 1.5, N_GENES))
    first, state_a = cells_of_two_states(np.random.default_rng(2))
    second, state_b = cells_of_two_states(np.random.default_rng(2), platform=platform)
    both = anndata.concat({"a": first, "b": second}, label=_keys.REFERENCE, index_unique=":")
    found = cell_states(prepare(both, 2))
    mixed = found.log_change[:, found.cell_type == 0]
    order = np.argsort(-mixed[0])
    for column, s in zip(order, (0, 1), strict=True):
        parts = [(first, state_a), (second, state_b)]
        changes = [expected_change(cells, state == s, state < 2) for cells, state in parts]
        weights = [(state == s).sum() for _, state in parts]
        expected = np.average(changes, axis=0, weights=weights)
        np.testing.assert_allclose(mixed[:, column], expected, atol=1e-9)


@pytest.mark.parametrize(("n_cells", "n_states"), [(40, 5), (120, 1)])
def test_few_cells_or_a_maximum_of_one_state_give_the_type_itself(n_cells, n_states):
    cells, _ = cells_of_two_states(np.random.default_rng(3), n_cells=n_cells)
    found = cell_states(prepare(cells, n_states))
    assert found.cell_type.tolist() == [0, 1]
    assert not found.log_change.any()


def test_cells_without_counts_change_nothing():
    cells, _ = cells_of_two_states(np.random.default_rng(5))
    counts = cells.layers[_keys.COUNTS].toarray()
    empty = anndata.AnnData(sp.csr_matrix(np.zeros((10, N_GENES), np.float32)), var=cells.var)
    empty.obs = pd.DataFrame({"cell_type": "mixed"}, index=[f"empty{i}" for i in range(10)])
    both = anndata.concat([cells, empty])
    both.layers[_keys.COUNTS] = sp.csr_matrix(np.vstack([counts, np.zeros((10, N_GENES), np.float32)]))
    config = PreprocessConfig(n_genes=N_GENES, n_states=2)
    with_empty = cell_states(preprocess(both, labels_key="cell_type", config=config))
    without = cell_states(prepare(cells, 2))
    np.testing.assert_array_equal(with_empty.log_change, without.log_change)


def test_many_references_with_few_cells_each_give_one_state():
    cells, _ = cells_of_two_states(np.random.default_rng(6), n_cells=60)
    cells.obs[_keys.REFERENCE] = [f"r{i % 20}" for i in range(cells.n_obs)]
    found = cell_states(prepare(cells, 2))
    assert found.cell_type.tolist() == [0, 1]
    assert not found.log_change.any()


@pytest.mark.parametrize("n_distinct", [1, 2])
def test_copies_of_the_same_cell(n_distinct):
    cells, _ = cells_of_two_states(np.random.default_rng(7))
    counts = cells.layers[_keys.COUNTS].toarray()
    counts[:120] = counts[np.arange(120) % n_distinct]
    cells.layers[_keys.COUNTS] = sp.csr_matrix(counts)
    found = cell_states(prepare(cells, 5))
    assert (found.cell_type == 0).sum() == n_distinct
    assert np.isfinite(found.log_change).all()


def test_many_cells_are_sampled(monkeypatch):
    monkeypatch.setattr("hpvade.pp._states._MAX_CELLS", 200)
    cells, state = cells_of_two_states(np.random.default_rng(4), n_cells=600)
    mixed = cell_states(prepare(cells, 2)).log_change[:, :2]
    best = mixed[:, np.argmax(mixed[0])]
    np.testing.assert_allclose(best, expected_change(cells, state == 0, state < 2), atol=0.25)
