"""Groups of samples, compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpvade._errors import InputError
from hpvade.metrics import compare_groups

NAMES = [f"s{i}" for i in range(9)]


@pytest.fixture
def fractions():
    values = np.random.default_rng(0).dirichlet(np.ones(3), 9)
    return pd.DataFrame(values, index=NAMES, columns=["B", "T", "NK"])


def test_two_groups_by_hand():
    fractions = pd.DataFrame({"B": [0.1, 0.2, 0.3, 0.4]}, index=list("abcd"))
    tests = compare_groups(fractions, pd.Series(["x", "x", "y", "y"], index=list("abcd"))).loc["B"]
    assert tests["effect"] == 1  # each y is above each x
    assert tests["difference"] == pytest.approx(0.2)  # of .2, .1, .3, .2
    assert tests["p"] == pytest.approx(1 / 3)  # 2 of the 6 orders are as extreme
    assert (tests["median_x"], tests["median_y"]) == pytest.approx((0.15, 0.35))


def test_several_groups_by_the_formula(fractions):
    groups = pd.Series(["a", "b", "c"] * 3, index=NAMES)
    tests = compare_groups(fractions, groups)
    ranks = fractions["T"].rank()
    h = 12 / (9 * 10) * sum(ranks[groups == g].sum() ** 2 / 3 for g in "abc") - 3 * 10
    assert tests.loc["T", "effect"] == pytest.approx(h / 8)
    assert tests.loc["T", "p"] == pytest.approx(stats.chi2.sf(h, 2))
    assert "difference" not in tests


def test_q_is_adjusted_over_types(fractions):
    tests = compare_groups(fractions, pd.Series(["x"] * 4 + ["y"] * 5, index=NAMES))
    p = np.sort(tests["p"].to_numpy())
    adjusted = np.minimum.accumulate((p * 3 / np.arange(1, 4))[::-1])[::-1]
    np.testing.assert_allclose(np.sort(tests["q"]), np.minimum(adjusted, 1))


def test_differences_of_large_groups_come_from_a_subset():
    rng = np.random.default_rng(0)
    values = pd.DataFrame({"B": rng.uniform(0, 1, 100_000)})
    values.loc[50_000:, "B"] += 0.3
    tests = compare_groups(values, pd.Series(["x"] * 50_000 + ["y"] * 50_000)).loc["B"]
    assert tests["difference"] == pytest.approx(0.3, abs=0.02)
    assert tests["effect"] == pytest.approx(1 - 0.7**2, abs=0.01)  # 1 - 2 P(y < x) of two uniforms .3 apart


def test_a_constant_type_has_no_test(fractions):
    fractions["none"] = 0.0
    tests = compare_groups(fractions, pd.Series(["x"] * 4 + ["y"] * 5, index=NAMES))
    assert tests.loc["none", ["effect", "p", "q"]].isna().all()
    without = compare_groups(fractions.drop(columns="none"), pd.Series(["x"] * 4 + ["y"] * 5, index=NAMES))
    pd.testing.assert_frame_equal(tests.drop("none"), without)


def test_order_of_samples_does_not_matter_and_samples_without_a_group_are_excluded(fractions):
    groups = pd.Series(["x", "y"] * 4, index=NAMES[:8])
    pd.testing.assert_frame_equal(compare_groups(fractions, groups), compare_groups(fractions, groups[::-1]))


@pytest.mark.parametrize("groups", [["x"] * 9, ["x"] * 8 + ["y"], [None] * 9])
def test_groups_that_cannot_be_compared_are_refused(fractions, groups):
    with pytest.raises(InputError, match="at least two groups of at least 2 samples"):
        compare_groups(fractions, pd.Series(groups, index=NAMES, dtype=object))
