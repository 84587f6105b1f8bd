from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from hpvade._errors import InputError
from hpvade._warnings import DataWarning
from hpvade.deconvolve.baselines import _svr, nu_svr


def problem(seed, *, n_samples=3, n_genes=200, n_types=4, noise=0.0):
    rng = np.random.default_rng(seed)
    signature = rng.gamma(0.5, size=(n_genes, n_types)) + 1e-3
    signature *= 1e6 / signature.sum(0)
    content = rng.uniform(1_000, 5_000, n_types)
    rna = rng.dirichlet(np.full(n_types, 3.0), n_samples)
    bulk = rna @ signature.T * np.exp(noise * rng.standard_normal((n_samples, n_genes)))
    return bulk, signature, content, rna


def primal_coefficients(design, target, nu):
    """Coefficients of nu-SVR (C = 1) from its primal problem, by a general solver.

    min ½ |w|² + n ν ε + Σ (ξ + ξ*)  with  |y - Xw - b| ≤ ε + ξ, and ξ, ξ*, ε ≥ 0.
    """
    n, k = design.shape

    def cost(v):
        return 0.5 * v[:k] @ v[:k] + n * nu * v[k + 1] + v[k + 2 :].sum()

    def gradient(v):
        return np.concatenate([v[:k], [0, n * nu], np.ones(2 * n)])

    eye, zero, one = np.eye(n), np.zeros((n, n)), np.ones((n, 1))
    above = np.hstack([design, one, one, eye, zero])  # Xw + b + ε + ξ ≥ y
    below = np.hstack([-design, -one, one, zero, eye])  # -Xw - b + ε + ξ* ≥ -y
    rows, limits = np.vstack([above, below]), np.concatenate([target, -target])
    start = np.concatenate([np.zeros(k + 1), [np.abs(target).max()], np.zeros(2 * n)])
    found = minimize(
        cost,
        start,
        jac=gradient,
        method="SLSQP",
        bounds=[(None, None)] * (k + 1) + [(0, None)] * (2 * n + 1),
        constraints={"type": "ineq", "fun": lambda v: rows @ v - limits, "jac": lambda _v: rows},
        options={"ftol": 1e-9, "maxiter": 1000},
    )
    assert found.success
    return found.x[:k]


def test_agrees_with_the_primal_problem_and_uses_the_best_nu():
    bulk, signature, content, _ = problem(3, n_samples=6, n_genes=20, n_types=3, noise=1.0)
    got = nu_svr(bulk, signature, rna_content=content, tolerance=1e-8)
    design = (signature - signature.mean()) / signature.std()
    chosen, negative = [], 0
    for sample, rna in zip(bulk, got.rna_fractions, strict=True):
        target = (sample - sample.mean()) / sample.std()
        answers = {}
        for nu in (0.25, 0.5, 0.75):
            raw = primal_coefficients(design, target, nu)
            negative += int((raw < -1e-6).any())
            shares = np.clip(raw, 0, None) / np.clip(raw, 0, None).sum()
            answers[nu] = (np.sqrt(np.mean((design @ shares - target) ** 2)), shares)
        best = min(answers, key=lambda nu, a=answers: a[nu][0])
        chosen.append(best)
        np.testing.assert_allclose(rna, answers[best][1], atol=1e-3)
    assert len(set(chosen)) > 1  # the choice of nu and the clipping both matter in this case
    assert negative > 0


@pytest.mark.parametrize("seed", range(5))
def test_noise_free_mixtures_are_nearly_recovered(seed):
    bulk, signature, content, rna = problem(seed)
    got = nu_svr(bulk, signature, rna_content=content)
    np.testing.assert_allclose(got.rna_fractions, rna, atol=0.02)  # C = 1 shrinks a little
    by_hand = got.rna_fractions / content
    np.testing.assert_allclose(got.fractions, by_hand / by_hand.sum(1, keepdims=True), atol=1e-12)


def test_neither_scale_nor_neighbours_nor_order_matter():
    bulk, signature, content, _ = problem(7, noise=0.5)

    def answer(b, s=signature):
        return nu_svr(b, s, rna_content=content).fractions

    everyone = answer(bulk)
    np.testing.assert_allclose(answer(7 * bulk), everyone, atol=1e-3)
    np.testing.assert_allclose(answer(bulk[2:3])[0], everyone[2], atol=1e-12)
    np.testing.assert_allclose(answer(bulk[::-1])[::-1], everyone, atol=1e-12)
    genes = np.random.default_rng(0).permutation(len(signature))
    np.testing.assert_allclose(answer(bulk[:, genes], signature[genes]), everyone, atol=1e-3)
    more = np.hstack([bulk, np.full((3, 2), 1e5)]), np.vstack([signature, np.zeros((2, 4))])
    np.testing.assert_allclose(answer(*more), everyone, atol=1e-12)


def test_a_sample_that_fits_no_type_is_reported_and_gets_equal_rna_fractions():
    # Each type is high where the sample is low.
    signature = np.array([[9.0, 8.0], [9.0, 9.0], [7.0, 8.0], [0.5, 0.2], [0.1, 0.4], [0.3, 0.1]])
    signature *= 1e6 / signature.sum(0)
    contrary = np.array([0.0, 0.0, 0.0, 5.0, 5.0, 5.0])
    flat = np.ones(6)
    with pytest.warns(DataWarning, match=r"2 of 3 samples \(the first is number 1\)") as caught:
        got = nu_svr(
            np.array([signature[:, 0], contrary, flat]), signature, rna_content=np.array([1_000.0, 3_000.0])
        )
    assert caught[0].filename == __file__
    np.testing.assert_allclose(got.rna_fractions[1:], 0.5)
    np.testing.assert_allclose(got.fractions[1:], [[0.75, 0.25]] * 2)
    assert got.rna_fractions[0, 0] > 0.5


def test_bad_input():
    bulk, signature, content, _ = problem(1)
    bulk[1] = 0
    with pytest.raises(InputError, match="Sample 1 has no expression"):
        nu_svr(bulk, signature, rna_content=content)


def test_three_nu_as_published():
    assert _svr.NUS == (0.25, 0.5, 0.75)
