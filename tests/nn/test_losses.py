from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from hpvade.nn import (
    LOSS_LABELS,
    LossTerms,
    LossWeights,
    bulk_reconstruction_loss,
    clamp_fractions,
    describe_range,
    latent_kl,
    proportion_loss,
)

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(5), 8), RNG.dirichlet(np.ones(5), 8)


def tensor(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def test_proportion_loss_against_scipy():
    expected = ((P - Q) ** 2).mean() + 0.1 * scipy.special.rel_entr(Q, P).sum(1).mean()
    assert proportion_loss(tensor(P), tensor(Q)).item() == pytest.approx(expected, rel=1e-9)


def test_proportion_loss_of_members_is_their_mean():
    members = np.stack([P, Q])
    each = [proportion_loss(tensor(m), tensor(Q)).item() for m in members]
    assert proportion_loss(tensor(members), tensor(Q)).item() == pytest.approx(np.mean(each))


def test_exact_zeros_give_a_large_finite_loss():
    p = torch.softmax(torch.tensor([[1e4, 0.0, -1e4]]), -1)
    assert (p == 0).any()
    loss = proportion_loss(p, torch.tensor([[0.0, 1.0, 0.0]]))
    # The clamp at 1e-10 bounds the divergence; the fractions (1, 0, 0) against (0, 1, 0) add 2 / 3.
    assert loss.item() == pytest.approx(2 / 3 + 0.1 * np.log(1e10), rel=1e-5)


def test_clamp_gives_fractions_again():
    clamped = clamp_fractions(torch.tensor([[0.0, 1.0], [0.3, 0.7]], dtype=torch.float64))
    np.testing.assert_allclose(clamped.sum(1), 1)
    assert clamped[0, 0] == pytest.approx(1e-10)


def test_latent_kl_against_scipy():
    mean, log_variance = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    grid = np.linspace(-30, 30, 60_001)
    expected = 0.0
    for m, lv in zip(mean.ravel(), log_variance.ravel(), strict=True):
        q = scipy.stats.norm(m, np.exp(lv / 2))
        expected += np.trapezoid(q.pdf(grid) * (q.logpdf(grid) - scipy.stats.norm.logpdf(grid)), grid)
    assert latent_kl(tensor(mean), tensor(log_variance)).item() == pytest.approx(expected / 4, rel=1e-6)


def test_bulk_reconstruction_in_both_spaces():
    a, b = RNG.uniform(0, 5e4, (3, 6)), RNG.uniform(0, 5e4, (3, 6))
    log = ((np.log1p(a / 100) - np.log1p(b / 100)) ** 2).mean()
    assert bulk_reconstruction_loss(tensor(a), tensor(b), space="log").item() == pytest.approx(log)
    cpm = ((a - b) ** 2).mean()
    assert bulk_reconstruction_loss(tensor(a), tensor(b), space="cpm").item() == pytest.approx(cpm)


def test_ranges_in_words():
    assert describe_range("bulk", torch.tensor([1.0, 2.5])) == "bulk: 1 … 2.5"
    bad = torch.tensor([1.0, float("nan"), float("inf")])
    assert describe_range("bulk", bad) == "bulk: 1 … 1, 2 of 3 not finite"
    assert "no finite value" in describe_range("bulk", torch.tensor([float("nan")]))


def test_every_term_has_a_label_and_no_other():
    assert set(LOSS_LABELS) == set(LossTerms._fields)


def test_default_weights_are_those_of_the_design():
    assert LossWeights().model_dump() == {"kl": 0.01, "proto": 0.1, "bulk": 5.0, "bulk_recon": 10.0}
