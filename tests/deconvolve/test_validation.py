"""Validation on mixtures of known composition, and the coverage of intervals on them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._keys import ALL_TYPES
from hpvade.deconvolve import Calibration, Estimate, Validation, ValidationTables, interval_coverage


@pytest.fixture(scope="module")
def validation() -> Validation:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(3), 400)
    sd = rng.uniform(0.01, 0.05, truth.shape)
    covariance = np.zeros((400, 3, 3))
    covariance[:, range(3), range(3)] = sd**2
    fractions = truth + sd * rng.standard_normal(truth.shape)
    return Validation(Estimate(fractions, covariance, fractions), truth)


def test_table_has_one_row_for_each_mixture_and_type(validation):
    table = validation.table(["b", "a", "c"])
    assert list(table["cell_type"][:4]) == ["b", "a", "c", "b"]
    rows = table[table["cell_type"] == "a"]
    np.testing.assert_array_equal(rows["truth"], validation.truth[:, 1])
    np.testing.assert_allclose(rows["sd"], validation.estimate.covariance[:, 1, 1] ** 0.5)


def test_the_table_can_be_split_again(validation):
    tables = ValidationTables.from_table(validation.table(["b", "a", "c"]))
    assert list(tables.truth) == ["b", "a", "c"]
    np.testing.assert_array_equal(tables.truth, validation.truth)
    np.testing.assert_array_equal(tables.fraction, validation.estimate.fractions)
    np.testing.assert_array_equal(tables.sd, validation.estimate.sd)


def test_coverage_matches_the_normal_distribution(validation):
    from scipy.stats import norm

    exact = np.sort(np.abs(norm.ppf((np.arange(1, 1000) / 1000 + 1) / 2)))
    calibration = Calibration(np.tile(exact[:, None], 3))
    observed = interval_coverage(validation.table(["b", "a", "c"]), calibration)
    assert list(observed) == [ALL_TYPES, "b", "a", "c"]
    # Intervals end at 0 and 1; no true fraction lies outside.
    np.testing.assert_allclose(observed[ALL_TYPES], observed.index, atol=0.04)
    half = interval_coverage(validation.table(["b", "a", "c"]), Calibration(np.tile(exact[:, None] / 2, 3)))
    expected = 2 * norm.cdf(norm.ppf((np.array(half.index) + 1) / 2) / 2) - 1
    np.testing.assert_allclose(half[ALL_TYPES], expected, atol=0.04)


def test_coverages_that_the_calibration_does_not_allow_are_left_out(validation):
    few = Calibration(np.sort(np.random.default_rng(0).uniform(0, 2, (12, 3)), axis=0))
    assert interval_coverage(validation.table(["b", "a", "c"]), few).index.max() == 0.9  # 12 / 13 = .923


def test_a_type_named_like_the_mean_has_its_own_column(validation):
    calibration = Calibration(np.sort(np.random.default_rng(0).uniform(0, 2, (200, 3)), axis=0))
    observed = interval_coverage(validation.table([ALL_TYPES, "a", "c"]), calibration)
    assert list(observed) == [ALL_TYPES, f"{ALL_TYPES} (a type)", "a", "c"]


def test_a_trained_model_stores_a_validation_on_mixtures_that_did_not_calibrate_it(tmp_path, monkeypatch):
    seen = []

    def validate_on_mixtures(network, mixtures, *arguments, **named):
        seen.append(mixtures)
        return hpvade.deconvolve.validate_on_mixtures(network, mixtures, *arguments, **named)

    monkeypatch.setattr("hpvade.model._train.validate_on_mixtures", validate_on_mixtures)
    reference = hpvade.testing.tiny_reference()
    hpvade.HPVADE.setup_anndata(reference, labels_key="cell_type")
    changes = {"train": {"max_epochs": 1}, "simulate": {"n_mixtures": 200, "n_heldout": 200}}
    model = hpvade.HPVADE(reference, preset="fast", config=changes)
    model.train()
    model.save(tmp_path / "model")
    stored = hpvade.HPVADE.load(tmp_path / "model").trained.validation
    pd.testing.assert_frame_equal(stored, model.trained.validation, atol=1e-6, rtol=0)
    np.testing.assert_allclose(stored.groupby("mixture")["truth"].sum(), 1, atol=1e-5)
    calibration, last = seen
    assert len(last) * len(model.cell_types) == len(stored)
    assert not {tuple(row) for row in calibration} & {tuple(row) for row in last}
