from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning
from hpvade.metrics import bias, ccc, mae, pearson, r_type, rmse

METRICS = [pearson, ccc, rmse, mae, bias]
PERCENT = st.integers(0, 100).map(lambda i: i / 100)


@st.composite
def pairs(draw):
    """Two vectors of fractions on a grid, neither constant."""
    n = draw(st.integers(2, 30))
    x, y = (draw(arrays(np.float64, n, elements=PERCENT)) for _ in range(2))
    assume(np.ptp(x) > 0)
    assume(np.ptp(y) > 0)
    return x, y


@settings(deadline=None)
@given(pairs())
def test_pearson_equals_scipy(xy):
    assert pearson(*xy) == pytest.approx(stats.pearsonr(*xy).statistic, abs=1e-12)


def test_hand_worked_case():
    # Deviations of x: -1, 0, 1; variance 2/3. Of y: -4/3, -1/3, 5/3; variance 14/9. Covariance 1.
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 5.0])
    assert pearson(x, y) == pytest.approx(1 / np.sqrt(2 / 3 * 14 / 9))
    assert ccc(x, y) == pytest.approx(2 / (2 / 3 + 14 / 9 + (4 / 3) ** 2))
    assert rmse(x, y) == pytest.approx(np.sqrt((1 + 1 + 4) / 3))
    assert mae(x, y) == pytest.approx(4 / 3)
    assert bias(x, y) == pytest.approx(-4 / 3)


@settings(deadline=None)
@given(pairs(), st.randoms(use_true_random=False))
def test_order_does_not_matter(xy, random):
    order = list(range(len(xy[0])))
    random.shuffle(order)
    for metric in METRICS:
        assert metric(*(v[order] for v in xy)) == pytest.approx(metric(*xy), abs=1e-12)


@settings(deadline=None)
@given(pairs(), st.floats(0.01, 100), st.floats(-10, 10))
def test_r_ignores_scale_and_shift(xy, scale, shift):
    x, y = xy
    assert pearson(scale * x + shift, y) == pytest.approx(pearson(x, y), abs=1e-9)


@settings(deadline=None)
@given(pairs())
def test_ccc_never_exceeds_r(xy):
    assert abs(ccc(*xy)) <= abs(pearson(*xy)) + 1e-12


@settings(deadline=None)
@given(pairs())
def test_perfect_agreement(xy):
    x, _ = xy
    assert ccc(x, x) == pytest.approx(1, abs=1e-12)
    assert [rmse(x, x), mae(x, x), bias(x, x)] == [0, 0, 0]


@settings(deadline=None)
@given(pairs())
def test_bias_mae_rmse_are_ordered(xy):
    assert abs(bias(*xy)) <= mae(*xy) + 1e-12 <= rmse(*xy) + 2e-12


@settings(deadline=None)
@given(st.integers(2, 60), PERCENT)
def test_a_constant_has_no_r_despite_rounding(n, value):
    # np.std of twelve times 0.1 is 1.4e-17, not zero
    with pytest.warns(DegenerateMetricWarning, match="x has zero variance"):
        assert np.isnan(pearson(np.full(n, value), np.arange(n)))


def test_constants_and_ccc():
    assert ccc([0.1] * 12, np.arange(12)) == 0
    assert ccc([0.1] * 3, [0.2] * 3) == 0
    with pytest.warns(DegenerateMetricWarning, match="constant and equal"):
        assert np.isnan(ccc([0.1] * 12, [0.1] * 12))
    with pytest.warns(DegenerateMetricWarning, match="x and y has zero variance"):
        pearson([0.1] * 3, [0.2] * 3)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2, 3], [1, 2], r"\(3,\) and \(2,\)"),
        ([[1, 2]], [[1, 2]], "two vectors"),
        ([1], [1], "at least 2 values, but there are 1"),
        ([], [], "at least 2 values, but there are 0"),
        ([1, np.nan], [1, 2], "1 of 2 values in the first vector are NaN or infinite .* position 1"),
        ([1, 2], [np.inf, 2], "1 of 2 values in the second vector .* position 0"),
    ],
)
def test_bad_input(metric, x, y, message):
    with pytest.raises(InputError, match=message):
        metric(x, y)


def test_r_type_is_the_mean_over_types():
    rng = np.random.default_rng(0)
    e, t = rng.random((6, 3)), rng.random((6, 3))
    assert r_type(e, t) == pytest.approx(np.mean([stats.pearsonr(e[:, k], t[:, k])[0] for k in range(3)]))


def test_r_type_skips_constant_types():
    rng = np.random.default_rng(1)
    e, t = rng.random((6, 3)), rng.random((6, 3))
    e[:, 1] = 0.1
    with pytest.warns(DegenerateMetricWarning, match="skips 1 of 3") as caught:
        value = r_type(e, t)
    assert len(caught) == 1
    assert value == pytest.approx(r_type(e[:, [0, 2]], t[:, [0, 2]]))
    with pytest.warns(DegenerateMetricWarning, match="skips 3 of 3"):
        assert np.isnan(r_type(np.full((6, 3), 1 / 3), t))


@pytest.mark.parametrize(
    ("e", "t", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), r"\(3, 2\) and \(3, 4\)"),
        (np.ones(3), np.ones(3), "n_samples, n_types"),
        (np.ones((1, 2)), np.ones((1, 2)), "at least 2 samples"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "NaN or infinite"),
    ],
)
def test_r_type_bad_input(e, t, message):
    with pytest.raises(InputError, match=message):
        r_type(e, t)
