from __future__ import annotations

import numpy as np

from hpvade.pp import background


def test_hand_worked():
    # 10,001 genes in steps of one: a tenth of them lies below the 1,000th step.
    steps = np.random.default_rng(0).permutation(10_001).astype(float)
    np.testing.assert_allclose(background(np.stack([steps, 2 * steps + 7])), [[1000.0], [2007.0]])


def test_a_panel_of_chosen_genes_has_no_background():
    np.testing.assert_array_equal(background(np.full((2, 4_999), 30.0)), [[0.0], [0.0]])


def test_an_added_background_is_found():
    silent = np.random.default_rng(0).gamma(0.1, 1.0, (3, 5000))
    level = np.array([[0.0], [50.0], [200.0]])
    np.testing.assert_allclose(background(silent + level), level, atol=1e-3)
