"""Intervals: their width follows the noise, and their coverage holds on platforms that were not simulated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import hpvade
from hpvade._errors import HPVADEError
from hpvade._warnings import DataWarning
from hpvade.deconvolve import (
    Calibration,
    Estimator,
    FractionFit,
    fraction_covariance,
)
from hpvade.jobs import demo_data
from hpvade.pp import counts_to_cpm


@pytest.fixture(scope="module")
def problem():
    """Samples of three types with two states each, with log-normal noise on every gene."""
    rng = np.random.default_rng(0)
    n_genes, cell_type = 400, np.repeat([0, 1, 2], 2)
    signature = counts_to_cpm(rng.gamma(0.5, size=(6, n_genes))).T
    content = np.array([1.0, 2.0, 0.5])[cell_type]
    shares = np.array([0.3, 0.2, 0.25, 0.1, 0.05, 0.1])
    rna = shares * content / (shares * content).sum()

    def samples(width, n=150):
        clean = signature @ rna
        return counts_to_cpm(clean * np.exp(width * rng.standard_normal((n, n_genes))))

    def answer(cpm, *, states=True, **changes):
        settings = {
            "signature_cpm": torch.from_numpy(signature),
            "rna_content": torch.from_numpy(content),
            "trust": torch.ones(n_genes, dtype=torch.float64),
            "noise_floor": 1.0,
            "outlier": None,
        } | changes
        content_sd = settings.pop("content_sd", 0.2)
        cpm = torch.from_numpy(cpm)
        prior = torch.full((len(cpm), 6), 1 / 6, dtype=torch.float64)
        p = FractionFit(**settings, prior_strength=1e-3)(cpm, prior)
        c = fraction_covariance(
            cpm, fractions=p, cell_type=torch.from_numpy(cell_type), content_sd=content_sd, **settings
        )
        return p.numpy() @ np.eye(3)[cell_type], c.numpy()

    return samples, answer


def test_the_standard_deviation_is_that_of_repeated_samples(problem, monkeypatch):
    samples, answer = problem
    monkeypatch.setattr("hpvade.deconvolve._covariance._MIN_SD", 0.0)
    p, covariance = answer(samples(0.5), content_sd=0.0)
    sd = np.sqrt(covariance.diagonal(axis1=1, axis2=2)).mean(0)
    # The shares of states are fixed, so the estimate is somewhat less than the observed spread.
    np.testing.assert_array_less(0.5 * p.std(0), sd)
    np.testing.assert_array_less(sd, 1.2 * p.std(0))


def test_noise_increases_the_standard_deviation(problem):
    samples, answer = problem
    sd = [np.sqrt(answer(samples(w, n=20))[1].diagonal(axis1=1, axis2=2)).mean(0) for w in (0.2, 0.5, 1.0)]
    assert (sd[0] < sd[1]).all()
    assert (sd[1] < sd[2]).all()


@pytest.mark.parametrize("noise", [0.3, 0.0])
def test_similar_types_are_uncertain_separately_and_certain_together(noise):
    rng = np.random.default_rng(1)
    profile = counts_to_cpm(rng.gamma(0.5, size=(2, 300))).T[:, [0, 0, 1]]
    cpm = counts_to_cpm((profile @ [0.3, 0.3, 0.4]) * np.exp(noise * rng.standard_normal((1, 300))))
    covariance = fraction_covariance(
        torch.from_numpy(cpm),
        fractions=torch.tensor([[0.3, 0.3, 0.4]], dtype=torch.float64),
        cell_type=torch.arange(3),
        signature_cpm=torch.from_numpy(profile),
        rna_content=torch.ones(3, dtype=torch.float64),
        trust=torch.ones(300, dtype=torch.float64),
        noise_floor=1.0,
        outlier=2.0,
        content_sd=0.2,
    )[0].numpy()
    separate = np.sqrt(covariance[0, 0])
    together = np.sqrt(covariance[:2, :2].sum())
    assert separate > 0.2
    assert together < separate / 2


def test_a_perfect_fit_is_uncertain_because_of_rna_content_alone(problem):
    samples, answer = problem
    sd = np.sqrt(answer(samples(0.0, n=1))[1][0].diagonal())
    assert (sd > 0.01).all()
    assert (sd < 0.1).all()


def test_an_interval_is_the_conformal_quantile_of_the_scores():
    scores = np.sort(np.random.default_rng(0).exponential(size=(99, 2)), axis=0)
    lower, upper = Calibration(scores).interval(
        np.array([[0.5, 0.02]]), np.array([[0.01, 0.02]]), coverage=0.8
    )
    np.testing.assert_allclose(upper[0, 0] - 0.5, scores[79, 0] * 0.01)  # 80th of 99: (99 + 1) · 0.8
    np.testing.assert_allclose(lower[0, 0], 0.5 - scores[79, 0] * 0.01)
    assert lower[0, 1] == 0
    with pytest.warns(DataWarning, match=r"allow a coverage of 0.990 at most"):
        lower, upper = Calibration(scores).interval(
            np.array([[0.5, 0.5]]), np.array([[0.01, 0.01]]), coverage=0.995
        )
    assert (lower == 0).all()
    assert (upper == 1).all()


@pytest.mark.parametrize("n_levels", [0, 2])
def test_a_calibration_survives_as_arrays(n_levels):
    scores = np.sort(np.random.default_rng(0).exponential(size=(20, 3)), axis=0)
    original = Calibration(scores, tuple(scores[:, : 2 - i] for i in range(n_levels)))
    arrays = original.to_arrays()
    restored = Calibration.from_arrays(dict(reversed(arrays.items())))  # the order does not matter
    np.testing.assert_array_equal(restored.scores, scores)
    assert len(restored.levels) == n_levels
    for i in range(n_levels):
        np.testing.assert_array_equal(restored.for_level(i).scores, original.levels[i])
    for name in arrays:
        damaged = {key: values for key, values in arrays.items() if key != name}
        if name != f"scores_of_level_{n_levels - 1}":  # fewer levels are a calibration too
            with pytest.raises(ValueError, match="missing or unexpected"):
                Calibration.from_arrays(damaged)
    with pytest.raises(ValueError, match="missing or unexpected arrays: other"):
        Calibration.from_arrays(arrays | {"other": scores})


@pytest.fixture(scope="module")
def embedded():
    """A model of the embedded reference."""
    data = demo_data(seed=0)
    model = hpvade.HPVADE(data.reference, preset="fast", config={"train": {"max_epochs": 3}}, seed=0)
    model.train()
    return model


def gamma_effect(cpm, rng):
    shape = np.exp(rng.uniform(0, 1.5, (len(cpm), 1)))
    return counts_to_cpm(cpm * rng.gamma(shape, 1 / shape, size=cpm.shape))


def compressed(cpm, rng):
    bent = cpm ** rng.uniform(0.8, 1.2, (len(cpm), 1))
    return counts_to_cpm(bent / (1 + bent / np.quantile(bent, 0.995, axis=1, keepdims=True)))


@pytest.mark.parametrize("effect", [gamma_effect, compressed])
def test_coverage_on_a_platform_that_was_not_simulated(embedded, effect):
    mixtures = hpvade.simulate.simulate(
        embedded.prepared,
        config=embedded.config.simulate.model_copy(update={"n_heldout": 300}),
        effects=False,
        seed=77,
    )
    rng = np.random.default_rng(5)
    cpm = effect(mixtures.X.astype(float), rng)
    estimator = Estimator(
        embedded.trained.network,
        measured=np.ones(mixtures.n_vars, dtype=bool),
        states=embedded.trained.states,
        content_sd=embedded.reference_signature.content_sd,
        config=embedded.config.deconvolve,
    )
    answer = estimator(cpm)
    simulated = mixtures.obsm["fractions"].to_numpy()
    # The RNA content of cells differs from the reference, by a factor with another distribution.
    width = embedded.reference_signature.content_sd * np.sqrt(3)
    truth = simulated / np.exp(rng.uniform(-width, width, simulated.shape))
    truth /= truth.sum(1, keepdims=True)
    for coverage in (0.5, 0.8, 0.9, 0.95):
        lower, upper = embedded.trained.calibration.interval(answer.fractions, answer.sd, coverage=coverage)
        covered = (lower <= truth) & (truth <= upper)
        assert abs(covered.mean() - coverage) < 0.06
        assert ((lower <= simulated) & (simulated <= upper)).mean() > coverage - 0.03
        if coverage == 0.9:
            assert covered.mean(0).min() > 0.75


def test_interrupted_training_leaves_the_earlier_model(reference, monkeypatch):
    model = hpvade.HPVADE(reference, preset="fast", config={"train": {"max_epochs": 1}})
    bulk = hpvade.testing.tiny_bulk(reference)
    with pytest.raises(HPVADEError, match="not trained yet"):
        model.deconvolve(bulk)
    model.train()
    model.deconvolve(bulk)

    def stop(*_arguments, **_settings):
        raise KeyboardInterrupt

    before = model.trained, model.deconvolve(bulk).fractions
    monkeypatch.setattr("hpvade.model._train.calibrate", stop)
    with pytest.raises(KeyboardInterrupt):
        model.train()
    assert model.trained is before[0]
    pd.testing.assert_frame_equal(model.deconvolve(bulk).fractions, before[1], check_exact=True)
