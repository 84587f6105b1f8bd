from __future__ import annotations

import numpy as np

from hpvade.pp import background


def test_hand_worked():
    # Ten silent genes at 7 and 8 of eleven: the 10 % quantile of eleven values is the second smallest.
    expression = np.array([[7.0, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1000], [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]])
    np.testing.assert_allclose(background(expression), [[8.0], [0.0]])


def test_an_added_level_is_found():
    silent = np.random.default_rng(0).gamma(0.1, 1.0, (3, 5000))
    level = np.array([[0.0], [50.0], [200.0]])
    np.testing.assert_allclose(background(silent + level), level, atol=1e-3)
