from __future__ import annotations

import numpy as np

from hpvade.simulate import (
    SimulateConfig,
    add_depth_noise,
    add_effects,
    add_platform_effect,
    add_unseen_platform_effects,
)

CPM = np.full((400, 500), 2000.0)


def test_platform_effect_is_log_normal_with_its_own_width_per_mixture():
    changed = add_platform_effect(CPM, 1.0, rng=np.random.default_rng(0))
    np.testing.assert_allclose(changed.sum(1), 1e6, rtol=1e-4)
    widths = np.log(changed).std(1)
    assert widths.min() < 0.05
    assert 0.9 < widths.max() < 1.1
    assert abs(widths.mean() - 0.5) < 0.05


def test_a_tail_makes_a_few_genes_differ_strongly():
    rng = np.random.default_rng(0)
    log = np.log(add_platform_effect(CPM, 1.0, tail=0.7, rng=rng))
    standard = (log - np.median(log, 1, keepdims=True)) / log.std(1, keepdims=True)
    # A product of a normal and a log-normal has kurtosis 3 · exp(4 · 0.7²) ≈ 21; a normal has 3.
    assert 8 < (standard**4).mean() < 40
    assert np.isfinite(add_platform_effect(CPM, 50.0, tail=2.0, rng=rng)).all()


def test_depth_noise_is_poisson():
    reads = 1e5
    noisy = add_depth_noise(CPM, (reads, reads), rng=np.random.default_rng(0))
    counts = noisy * reads / 1e6
    np.testing.assert_allclose(counts.mean(), 200, rtol=0.01)
    np.testing.assert_allclose(counts.var() / counts.mean(), 1, rtol=0.05)


def test_nothing_is_added_when_effects_are_off():
    config = SimulateConfig(platform_width=0, depth=None)
    assert add_effects(CPM, config, rng=np.random.default_rng(0)) is CPM


def test_unseen_effects_are_four_kinds_in_turn():
    changed = add_unseen_platform_effects(CPM, rng=np.random.default_rng(0))
    np.testing.assert_allclose(changed.sum(1), 1e6)
    log = np.log(changed) - np.log(changed).mean(1, keepdims=True)
    laplace, shared, lost, background = (log[kind::4] for kind in range(4))
    # Shared factors come from five directions in gene space; the other kinds have a rank near that of noise.
    explained = [
        (np.linalg.svd(kind, compute_uv=False)[:5] ** 2).sum() / (kind**2).sum()
        for kind in (laplace, shared, lost, background)
    ]
    np.testing.assert_allclose(explained[1], 1, rtol=1e-6)
    assert max(explained[0], explained[2], explained[3]) < 0.5
    # A lost gene keeps 5% of its expression: about 3 natural logs below, which log-normal factors of sd 0.4
    # do not reach.
    assert (lost < -2.2).mean() > 0.05
    assert (background < -2.2).mean() < 1e-3
