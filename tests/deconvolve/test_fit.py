from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from hpvade.deconvolve import FractionFit, _fit
from hpvade.pp import rna_fractions

FLOOR = 50.0


@pytest.fixture
def case():
    """Four types with markers and unlike RNA content, six samples of known composition."""
    rng = np.random.default_rng(0)
    signature = rng.gamma(0.5, 1.0, (61, 4))
    signature = signature / signature.sum(0) * 1e6
    content = np.array([1.0, 3.0, 0.5, 2.0])
    truth = rng.dirichlet(np.ones(4), 6)
    return signature, content, truth, rna_fractions(truth, content) @ signature.T


def fit(cpm, signature, content, prior, *, strength, trust=None, outlier=2.0):
    trust = np.ones(len(signature)) if trust is None else trust
    made = FractionFit(
        torch.from_numpy(signature),
        rna_content=torch.from_numpy(content),
        trust=torch.from_numpy(trust),
        prior_strength=strength,
        noise_floor=FLOOR,
        outlier=outlier,
    )
    return made(torch.from_numpy(cpm), torch.from_numpy(prior)).numpy()


def objective(unknowns, *, sample, signature, content, trust, prior, strength, limit):
    """Independent implementation of the formula of the docstring; also returns the residuals."""
    logits, offset = unknowns[:-1], unknowns[-1]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    r = p * content / (p * content).sum()
    e = np.log(sample + FLOOR) - np.log(signature @ r + FLOOR) - offset
    d = np.log(p) - np.log(prior)
    rho = np.where(np.abs(e) <= limit, e**2, 2 * limit * np.abs(e) - limit**2)
    value = np.sum(trust / trust.mean() * rho) + strength * np.sum((d - d.mean()) ** 2)
    return value, e


def reference_fit(**given):
    """Both stages with a general optimiser."""
    unknowns = np.append(np.log(given["prior"]), 0.0)
    limit = 1e9
    for _ in range(2):
        found = minimize(
            lambda x, limit=limit: objective(x, **given, limit=limit)[0],
            unknowns,
            method="BFGS",
            options={"gtol": 1e-8},
        )
        unknowns = found.x
        limit = 2 * 1.4826 * np.median(np.abs(objective(unknowns, **given, limit=limit)[1]))
    p = np.exp(unknowns[:-1] - unknowns[:-1].max())
    return p / p.sum()


def test_exact_mixtures_are_recovered(case):
    signature, content, truth, cpm = case
    found = fit(cpm, signature, content, np.full_like(truth, 0.25), strength=0.0)
    np.testing.assert_allclose(found, truth, atol=1e-5)


@pytest.mark.parametrize("strength", [0.5, 3.0, 30.0])
def test_same_minimum_as_a_general_optimiser(case, strength):
    signature, content, truth, cpm = case
    rng = np.random.default_rng(1)
    noisy = cpm * np.exp(0.7 * rng.standard_normal(cpm.shape))
    prior = rng.dirichlet(np.full(4, 5.0), len(truth))
    trust = rng.uniform(0.1, 1, len(signature))
    found = fit(noisy, signature, content, prior, strength=strength, trust=trust)
    for sample, centre, p in zip(noisy, prior, found, strict=True):
        expected = reference_fit(
            sample=sample, signature=signature, content=content, trust=trust, prior=centre, strength=strength
        )
        np.testing.assert_allclose(p, expected, atol=1e-4)


def test_a_strong_prior_determines_the_fractions(case):
    signature, content, truth, cpm = case
    prior = np.full_like(truth, 0.25)
    np.testing.assert_allclose(fit(cpm, signature, content, prior, strength=1e9), prior, atol=1e-4)


def test_the_fraction_of_an_absent_type_is_near_zero(case):
    signature, content, _, _ = case
    cpm = rna_fractions(np.array([[0.5, 0.5, 0.0, 0.0]]), content) @ signature.T
    found = fit(cpm, signature, content, np.full((1, 4), 0.25), strength=0.0)
    assert found[0, 2:].max() < 1e-3


def test_samples_are_fitted_independently(case):
    signature, content, truth, cpm = case
    noisy = cpm * np.exp(np.random.default_rng(2).standard_normal(cpm.shape))
    prior = np.full_like(truth, 0.25)
    together = fit(noisy, signature, content, prior, strength=3.0)
    alone = np.concatenate(
        [fit(noisy[[i]], signature, content, prior[[i]], strength=3.0) for i in range(len(noisy))]
    )
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_one_wrongly_measured_gene_has_little_influence(case):
    signature, content, truth, cpm = case
    noisy = cpm * np.exp(0.1 * np.random.default_rng(3).standard_normal(cpm.shape))
    prior = np.full_like(truth, 0.25)
    wrong = noisy.copy()
    marker = np.argmax(signature[:, 1] / signature.sum(1))
    wrong[:, marker] *= 1000
    moved = np.abs(
        fit(wrong, signature, content, prior, strength=0.5)
        - fit(noisy, signature, content, prior, strength=0.5)
    )
    assert moved.max() < 0.05


def test_without_precomputed_products_of_columns(case, monkeypatch):
    signature, content, truth, cpm = case
    noisy = cpm * np.exp(np.random.default_rng(3).standard_normal(cpm.shape))
    prior = np.full_like(truth, 0.25)
    precomputed = fit(noisy, signature, content, prior, strength=1.0)
    monkeypatch.setattr("hpvade.deconvolve._fit._MAX_PRODUCTS", 0)
    np.testing.assert_allclose(fit(noisy, signature, content, prior, strength=1.0), precomputed, atol=1e-9)


def test_derivatives_match_finite_differences(case, monkeypatch):
    """At a minimum the exact Hessian is positive definite, and steps use it."""
    signature, content, truth, cpm = case
    rng = np.random.default_rng(4)
    noisy = cpm * np.exp(0.5 * rng.standard_normal(cpm.shape))
    calls = []
    original = _fit._expansion

    def spy(problem, state, *, limit):
        gradient, curvature = original(problem, state, limit=limit)
        calls.append((problem, state, limit, gradient, curvature))
        return gradient, curvature

    monkeypatch.setattr(_fit, "_expansion", spy)
    prior = np.full_like(truth, 0.25)
    fit(noisy[:1], signature, content, prior[:1], strength=1.0)
    problem, state, limit, gradient, curvature = calls[-1]
    unknowns = np.append(np.log(prior[0]) + state.deviation[0].numpy(), 0.0)
    unknowns[-1] = float((problem.log_bulk - (state.expected + FLOOR).log() - state.residual).mean())
    given = {
        "sample": noisy[0], "signature": signature, "content": content, "trust": np.ones(len(signature)),
        "prior": prior[0], "strength": 1.0, "limit": float(limit[0]),
    }  # fmt: skip
    step = 1e-4
    unit = np.eye(len(unknowns)) * step

    def value(x):
        return objective(x, **given)[0] / 2

    slope = [(value(unknowns + u) - value(unknowns - u)) / (2 * step) for u in unit]
    np.testing.assert_allclose(-np.array(slope), gradient[0].numpy(), atol=1e-4)
    x = unknowns
    hessian = [
        [
            (value(x + u + v) - value(x + u - v) - value(x - u + v) + value(x - u - v)) / (4 * step**2)
            for v in unit
        ]
        for u in unit
    ]
    hessian, computed = np.array(hessian), curvature[0].numpy()
    for part in (np.s_[:-1, :-1], np.s_[:-1, -1], np.s_[-1, -1]):
        np.testing.assert_allclose(hessian[part], computed[part], atol=0.01 * np.abs(hessian[part]).max())
