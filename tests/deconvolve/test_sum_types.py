from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import InputError
from hpvade.deconvolve import Calibration
from hpvade.deconvolve import sum_types as sum_fractions


def sum_types(answer, groups, **options):
    return sum_fractions(answer.fractions, groups, covariance=answer.covariance, **options)


@pytest.fixture(scope="module")
def answered():
    reference = hpvade.testing.tiny_reference()
    hpvade.HPVADE.setup_anndata(reference)
    model = hpvade.HPVADE(reference, preset="fast", config={"train": {"max_epochs": 1}})
    model.train()
    return model.deconvolve(hpvade.testing.tiny_bulk(reference)), model.trained.calibration


def test_the_sum_of_one_type_is_that_type(answered):
    answer, calibration = answered
    sums = sum_types(answer, {"just B": ["B"]}, calibration=calibration, coverage=0.9)
    for table, own in zip(sums, (answer.fractions, answer.lower, answer.upper), strict=True):
        np.testing.assert_allclose(table["just B"], own["B"])


def test_a_sum_by_hand(answered):
    answer, calibration = answered
    sums = sum_types(answer, {"two": ["T", "B"], "one": ["T"]}, calibration=calibration, coverage=0.8)
    at = [list(answer.fractions).index(name) for name in ("B", "T")]
    p = answer.fractions["B"] + answer.fractions["T"]
    sd = np.sqrt(answer.covariance[:, at][:, :, at].sum((1, 2)))
    scores = np.sort(np.concatenate([calibration.scores[:, k] for k in at]))
    half = scores[int(np.ceil(0.8 * (len(scores) + 1))) - 1] * sd
    np.testing.assert_allclose(sums.fractions["two"], p)
    np.testing.assert_allclose(sums.lower["two"], np.maximum(p - half, 0))
    np.testing.assert_allclose(sums.upper["two"], np.minimum(p + half, 1))


def test_all_types_sum_to_1_with_little_uncertainty(answered):
    answer, calibration = answered
    sums = sum_types(answer, {"all": list(answer.fractions)}, calibration=calibration, coverage=0.9)
    width = (sums.upper - sums.lower)["all"]
    assert (sums.fractions["all"] - 1).abs().max() < 1e-6
    assert (width < (answer.upper - answer.lower).max(axis=1)).all()


def test_an_absent_type(answered):
    answer, _ = answered
    with pytest.raises(InputError, match=r"no cell type 'b' for the group 'x'. Cell types: B, Monocyte, T"):
        sum_types(answer, {"x": ["b"]}, calibration=Calibration(np.ones((9, 3))), coverage=0.5)


def test_sums_are_scaled_by_unknown_content(answered):
    answer, calibration = answered
    unknown = pd.DataFrame(
        {"unknown": 0.2, "unknown_lower": 0.1, "unknown_upper": 0.3}, index=answer.qc.index
    )
    given = {"covariance": answer.covariance, "calibration": calibration}
    plain = sum_fractions(answer.fractions, {"x": ["B", "T"]}, **given)
    scaled = replace(answer, qc=answer.qc.assign(**unknown)).with_unknown(np.zeros(len(unknown)))
    sums = sum_fractions(scaled.fractions, {"x": ["B", "T"]}, unknown=unknown, **given)
    assert list(sums.fractions) == ["x"]
    for side, factor in (("fractions", 0.8), ("lower", 0.7), ("upper", 0.9)):
        np.testing.assert_allclose(getattr(sums, side), factor * getattr(plain, side))


@pytest.mark.parametrize(
    ("groups", "coverage", "message"),
    [
        ({"x": []}, 0.9, "group 'x' must be a list of cell types"),
        ({"x": "BT"}, 0.9, "must be a list of cell types, not 'BT'"),
        ({"x": (name for name in "B")}, 0.9, "must be a list"),
        ({"x": [3]}, 0.9, "no cell type '3'"),
        ({"x": ["B"]}, 0, "The coverage 0 is out of range"),
        ({"x": ["B"]}, 90, "The coverage 90 is out of range"),
    ],
)
def test_bad_groups_and_coverages(answered, groups, coverage, message):
    answer, calibration = answered
    with pytest.raises(InputError, match=message):
        sum_types(answer, groups, calibration=calibration, coverage=coverage)
