from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpvade.pp import cell_fractions, rna_fractions


def test_hand_worked():
    # Half and half, but a monocyte holds three times the RNA.
    np.testing.assert_allclose(rna_fractions(np.array([0.5, 0.5]), np.array([1.0, 3.0])), [0.25, 0.75])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.floats(0.1, 10))
def test_round_trip(raw, scale):
    p = np.array(raw) / sum(raw)
    m = scale * np.arange(1, len(p) + 1)
    r = rna_fractions(p, m)
    np.testing.assert_allclose(r.sum(), 1)
    np.testing.assert_allclose(cell_fractions(r, m), p)
