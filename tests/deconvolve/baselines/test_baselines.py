from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, minimize

from hpvade._errors import InputError
from hpvade._warnings import DataWarning
from hpvade.deconvolve.baselines import (
    METHODS,
    BaselineData,
    mean_fractions,
    mixture_em,
    weighted_nnls,
)

SOLVERS = [weighted_nnls, mixture_em]
both = pytest.mark.parametrize("solve", SOLVERS)


def problem(seed, *, n_samples=4, n_genes=60, n_types=4, noise=0.0):
    """Mixtures of a random signature, with their cell fractions and the RNA content."""
    rng = np.random.default_rng(seed)
    signature = rng.gamma(0.3, size=(n_genes, n_types)) + 1e-3
    signature *= 1e6 / signature.sum(0)
    content = rng.uniform(1_000, 5_000, n_types)
    fractions = rng.dirichlet(np.full(n_types, 5.0), n_samples)
    rna = fractions * content / (fractions @ content)[:, None]
    bulk = rna @ signature.T * np.exp(noise * rng.standard_normal((n_samples, n_genes)))
    return bulk, signature, content, fractions, rna


@both
def test_hand_worked_case(solve):
    # Genes × types. Each type has a gene of its own, and they share the third in the ratio 1 : 2.
    signature = 1e5 * np.array([[8.0, 0.0], [0.0, 6.0], [2.0, 4.0]])
    bulk = 1e5 * np.array([[2.0, 4.5, 3.5]])  # 1/4 of column 0 and 3/4 of column 1
    got = solve(bulk, signature, rna_content=np.array([1_000.0, 2_000.0]))
    np.testing.assert_allclose(got.rna_fractions, [[0.25, 0.75]], atol=1e-7)
    np.testing.assert_allclose(got.fractions, [[0.4, 0.6]], atol=1e-7)  # 0.25/1 : 0.75/2 = 2 : 3


def largest_error_of_em(signature, rna, *, last_update):
    """Largest error of θ, for each sample, when the last update changed no θ_k by more than ``last_update``.

    Near its fixed point, the truth without noise, EM converges linearly: an update multiplies the error by
    J = I − diag(θ) A, A = φᵀ diag(1 / φθ) φ. So the error left is J (I − J)⁻¹ times the last update. In the
    norm |x|² = Σ_k x_k² / θ_k, J is self-adjoint with eigenvalues 1 − λ between 0 and 1, hence
    max|error| ≤ √max θ · |error| ≤ √max θ · (1 − λ) / λ · |update|, with λ the smallest eigenvalue of
    diag(√θ) A diag(√θ).
    """
    profiles = signature / signature.sum(0)
    bounds = []
    for theta in rna:
        curvature = profiles.T @ (profiles / (profiles @ theta)[:, None])
        smallest = np.linalg.eigvalsh(np.sqrt(np.outer(theta, theta)) * curvature)[0]
        norm = last_update * np.sqrt((1 / theta).sum())
        bounds.append(np.sqrt(theta.max()) * (1 - smallest) / smallest * norm)
    return np.array(bounds)


@both
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n_types=st.integers(1, 6))
@example(seed=9264, n_types=6)  # EM converges slowly here
def test_noise_free_mixtures_are_recovered(solve, seed, n_types):
    bulk, signature, content, _, rna = problem(seed, n_types=n_types)
    got = solve(bulk, signature, rna_content=content)
    allowed = np.full(len(rna), 1e-12)  # rounding: 4e-16 at most in 350 examples of NNLS, which is exact
    if solve is mixture_em:
        # The bound is of first order in the error relative to θ, 1e-3 at most: 1% covers higher orders.
        allowed += 1.01 * largest_error_of_em(signature, rna, last_update=1e-7)
    assert (np.abs(got.rna_fractions - rna).max(1) <= allowed).all()
    cells = got.rna_fractions / content
    np.testing.assert_allclose(got.fractions, cells / cells.sum(1, keepdims=True), atol=1e-12)


def test_em_finds_the_maximum_of_the_likelihood():
    bulk, signature, content, _, _ = problem(1, n_samples=3, noise=0.8)
    profiles = signature / 1e6
    got = mixture_em(bulk, signature, rna_content=content, tolerance=1e-12, max_iterations=100_000)
    for sample, theta in zip(bulk, got.rna_fractions, strict=True):
        shares = sample / sample.sum()
        best = minimize(
            lambda t, b=shares: -b @ np.log(profiles @ t),
            np.full(4, 0.25),
            jac=lambda t, b=shares: -(b / (profiles @ t)) @ profiles,
            method="SLSQP",
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda t: t.sum() - 1, "jac": np.ones_like},
            options={"ftol": 1e-15, "maxiter": 1000},
        )
        np.testing.assert_allclose(theta, best.x, atol=1e-5)
        assert -shares @ np.log(profiles @ theta) <= best.fun + 1e-12


def test_nnls_is_bounded_least_squares():
    bulk, signature, content, _, _ = problem(2, n_types=5, noise=1.5)
    got = weighted_nnls(bulk, signature, rna_content=content, floor=2.0)
    root_weight = 1 / np.sqrt(signature.mean(1) + 2.0)
    active = 0
    for sample, rna in zip(bulk, got.rna_fractions, strict=True):
        design = signature * root_weight[:, None]
        beta = lsq_linear(design, sample * root_weight, bounds=(0, np.inf), method="bvls", tol=1e-14).x
        active += int((beta == 0).sum())
        np.testing.assert_allclose(rna, beta / beta.sum(), atol=1e-9)
    assert active > 0  # the bound matters in this case


def test_nnls_weights_change_the_answer():
    bulk, signature, content, _, _ = problem(2, noise=1.0)
    flat = weighted_nnls(bulk, signature, rna_content=content, floor=1e12)  # equal weights
    assert np.abs(flat.fractions - weighted_nnls(bulk, signature, rna_content=content).fractions).max() > 1e-3


@both
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_invariances(solve, seed):
    bulk, signature, content, _, _ = problem(seed, noise=0.5)

    def answer(b, s=signature):
        return solve(b, s, rna_content=content).fractions

    everyone = answer(bulk)
    np.testing.assert_allclose(answer(7 * bulk), everyone, atol=1e-9)
    np.testing.assert_allclose(answer(bulk[2:3])[0], everyone[2], atol=1e-9)
    np.testing.assert_allclose(answer(np.repeat(bulk[:1], 8, axis=0)), everyone[[0] * 8], atol=1e-9)
    genes = np.random.default_rng(seed).permutation(len(signature))
    np.testing.assert_allclose(answer(bulk[:, genes], signature[genes]), everyone, atol=1e-9)
    np.testing.assert_allclose(answer(bulk[::-1]), everyone[::-1], atol=1e-9)


@both
def test_types_can_be_reordered(solve):
    bulk, signature, content, _, _ = problem(5, noise=0.5)
    turned = solve(bulk, signature[:, ::-1], rna_content=content[::-1]).fractions
    expected = solve(bulk, signature, rna_content=content).fractions[:, ::-1]
    np.testing.assert_allclose(turned, expected, atol=1e-6)


@both
def test_genes_without_signature_are_ignored(solve):
    bulk, signature, content, _, _ = problem(6, noise=0.5)
    more = solve(
        np.hstack([bulk, np.full((4, 3), 1e5)]),
        np.vstack([signature, np.zeros((3, 4))]),
        rna_content=content,
    )
    np.testing.assert_allclose(
        more.fractions, solve(bulk, signature, rna_content=content).fractions, atol=1e-9
    )


@both
def test_a_sample_without_expression_in_the_signature_is_refused(solve):
    bulk, signature, content, _, _ = problem(6)
    bulk, signature = np.hstack([bulk, np.ones((4, 1))]), np.vstack([signature, np.zeros((1, 4))])
    bulk[1, :-1] = 0
    with pytest.raises(InputError, match="Sample 1 has no expression"):
        solve(bulk, signature, rna_content=content)


@both
def test_input_is_not_modified(solve):
    bulk, signature, content, _, _ = problem(7)
    copies = bulk.copy(), signature.copy(), content.copy()
    solve(bulk, signature, rna_content=content)
    for now, before in zip((bulk, signature, content), copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_em_reports_that_it_has_not_converged():
    bulk, signature, content, _, _ = problem(8)
    with pytest.warns(DataWarning, match="4 of 4 samples still changed .* after 3 updates") as caught:
        got = mixture_em(bulk, signature, rna_content=content, max_iterations=3)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(got.fractions.sum(1), 1)


def with_value(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


@both
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, s, m: (with_value(b, 2, 0), s, m), "Sample 2 has no expression"),
        (lambda b, s, m: (with_value(b, (0, 0), -1), s, m), "bulk_cpm has negative"),
        (lambda b, s, m: (with_value(b, (0, 0), np.nan), s, m), "bulk_cpm has .*NaN"),
        (lambda b, s, m: (b, np.log1p(s / 100), m), "Column 0 of signature_cpm sums to"),
        (lambda b, s, m: (b, with_value(s, (slice(None), 3), 0), m), "Column 3 of signature_cpm sums to 0"),
        (lambda b, s, m: (b, s, with_value(m, 1, 0)), "type 1 is 0"),
        (lambda b, s, m: (b, s, m[:-1]), r"Shapes do not match.*\(3,\)"),
        (lambda b, s, m: (b[:, 1:], s, m), r"Shapes do not match.*\(4, 59\)"),
        (lambda b, s, m: (b[0], s, m), "Shapes do not match"),
    ],
)
def test_bad_input(solve, change, message):
    bulk, signature, content, _, _ = problem(9)
    bulk, signature, content = change(bulk, signature, content)
    with pytest.raises(InputError, match=message):
        solve(bulk, signature, rna_content=content)


def test_mean_predictor():
    training = np.array([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    np.testing.assert_allclose(mean_fractions(training, 3), [[0.5, 0.5]] * 3)
    assert mean_fractions(training, 0).shape == (0, 2)
    with pytest.raises(InputError, match="Row 1 of training_fractions sums to 100"):
        mean_fractions([[0.5, 0.5], [40, 60]], 2)
    with pytest.raises(InputError, match=r"not empty, but is \(0,\)"):
        mean_fractions([], 2)


def test_every_method_is_described_and_can_be_called():
    assert list(METHODS) == ["mean", "nnls", "em", "svr"]
    bulk, signature, content, fractions, _ = problem(4)
    for key, method in METHODS.items():
        assert method.key == key
        assert method.name
        assert method.description
        assert method.reference
        found = method.fractions(BaselineData(bulk, signature, content, fractions))
        assert found.shape == fractions.shape
        # Noise-free; C = 1 shrinks nu-SVR a little, and the mean ignores the sample.
        expected, tolerance = (fractions.mean(0), 1e-12) if key == "mean" else (fractions, 0.02)
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=tolerance)
