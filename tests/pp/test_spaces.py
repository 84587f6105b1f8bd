from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpvade.pp import counts_to_cpm, counts_to_log, cpm_to_log, floored_log

COUNTS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.integers(0, 10_000)
).filter(lambda a: (a.sum(1) > 0).all())


@given(COUNTS)
def test_both_routes_to_log_space_agree(counts):
    through_cpm = cpm_to_log(counts_to_cpm(counts.astype(float)))
    direct = counts_to_log(sp.csr_matrix(counts.astype(np.float32))).toarray()
    # counts_to_log rounds to single precision
    np.testing.assert_allclose(direct, through_cpm, rtol=1e-5, atol=1e-6)


@given(COUNTS)
def test_expm1_of_log_space_sums_to_ten_thousand(counts):
    log = counts_to_log(sp.csr_matrix(counts.astype(np.float32))).toarray()
    # Single precision: an error of 1e-7 · log is one of about 1e-6 in expm1
    np.testing.assert_allclose(np.expm1(log.astype(float)).sum(1), 1e4, rtol=1e-4)


@given(COUNTS, st.floats(1e-3, 1e3))
def test_scale_of_a_sample_does_not_matter(counts, factor):
    np.testing.assert_allclose(counts_to_cpm(counts * factor), counts_to_cpm(counts.astype(float)), rtol=1e-9)


def test_hand_worked():
    np.testing.assert_allclose(counts_to_cpm(np.array([[1.0, 3.0]])), [[250_000, 750_000]])
    np.testing.assert_allclose(cpm_to_log(np.array([100 * (np.e - 1)])), [1.0])


def test_numpy_and_torch_agree():
    cpm = np.array([[0.0, 5.0, 1e6]])
    np.testing.assert_allclose(cpm_to_log(torch.from_numpy(cpm)).numpy(), cpm_to_log(cpm), rtol=1e-12)
    np.testing.assert_allclose(
        floored_log(torch.from_numpy(cpm), 25.0).numpy(), floored_log(cpm, 25.0), rtol=1e-12
    )


def test_floored_log_is_flat_below_the_floor_and_a_log_ratio_above():
    values = np.array([0.0, 25.0 * (np.e - 1)])
    np.testing.assert_allclose(floored_log(values, 25.0), np.log(25) + np.array([0, 1]))
    below, above = (np.diff(floored_log(np.array([x, 2 * x]), 25.0))[0] for x in (0.25, 25_000.0))
    assert below == pytest.approx(np.log(25.5 / 25.25))
    assert above == pytest.approx(np.log(2), rel=1e-3)  # the floor is a thousandth of the value


def test_log_leaves_counts_untouched_and_empty_cells_zero():
    counts = sp.csr_matrix(np.array([[0, 2, 0], [0, 0, 0]], dtype=np.float32))
    before = counts.toarray().copy()
    log = counts_to_log(counts)
    np.testing.assert_array_equal(counts.toarray(), before)
    assert log[1].sum() == 0
    assert log[0, 1] == pytest.approx(np.log1p(1e4))
