"""Evidence for a profile, against a plain implementation of its definition."""

from __future__ import annotations

import numpy as np
import pytest

from hpvade.deconvolve._evidence import Residuals, evidence

FLOOR, N_GENES, N_OWN = 25.0, 400, 40
SHARES = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7]


@pytest.fixture
def profiles():
    """Three profiles; the first two have genes of their own, which the known types do not express."""
    rng = np.random.default_rng(0)
    profiles = rng.gamma(1, 2_500, (3, N_GENES + 2 * N_OWN))
    profiles[:, N_GENES:] = 1
    profiles[0, N_GENES : N_GENES + N_OWN] = 4_000
    profiles[1, N_GENES + N_OWN :] = 4_000
    return profiles


@pytest.fixture
def own_weight(profiles):
    own = np.zeros_like(profiles)
    own[0, N_GENES : N_GENES + N_OWN] = 0.7
    own[1, N_GENES + N_OWN :] = 0.7
    return own


@pytest.fixture
def every_tissue(profiles):
    return np.full(profiles.shape[1], 1.0)


def residuals(profiles, shares, *, noise=0.2):
    """Samples that hold some of the first profile."""
    rng = np.random.default_rng(1)
    expected = np.tile(rng.gamma(1, 2_500, profiles.shape[1]), (len(shares), 1))
    expected[:, N_GENES:] = 5
    share = np.array(shares)[:, None]
    bulk = ((1 - share) * expected + share * profiles[0]) * np.exp(
        noise * rng.standard_normal(expected.shape)
    )
    weight = np.where(np.arange(profiles.shape[1]) < N_GENES, rng.uniform(0.2, 1, profiles.shape[1]), 0)
    n = len(shares)
    return Residuals(np.log(bulk + FLOOR), expected, np.zeros(n), np.full(n, 2 * noise), weight, FLOOR)


def test_gain_and_support_follow_their_definition(profiles, own_weight, every_tissue):
    given = residuals(profiles, [0.3])
    found = evidence(given, profiles, own_weight=own_weight, every_tissue=every_tissue, pooled=False)
    limit = given.limit[0]

    def loss(e, w):
        return (w * np.where(np.abs(e) <= limit, e**2, 2 * limit * np.abs(e) - limit**2)).sum()

    def decrease(profile, w):
        before = given.log_bulk[0] - np.log(given.expected[0] + FLOOR)
        best = {}
        for u in SHARES:
            e = given.log_bulk[0] - np.log((1 - u) * given.expected[0] + u * profile + FLOOR)
            huber = w * np.minimum(1, limit / np.abs(e))
            best[u] = loss(before, w) - loss(e - (huber * e).sum() / huber.sum(), w)
        share = max(best, key=best.get)
        return best[share], share

    for j in range(3):
        w = np.maximum(given.weight, own_weight[j])
        gain, share = decrease(profiles[j], w)
        of_tissues, _ = decrease(every_tissue, w)
        assert found.gain[0, j] == pytest.approx(
            max(gain - max(of_tissues, 0), 0) / given.loss[0], rel=1e-6, abs=1e-12
        )
        if found.gain[0, j] > 0:
            known = np.log(given.expected[0] + FLOOR)
            rise = np.log((1 - share) * given.expected[0] + share * profiles[j] + FLOOR) - known
            counted = w * rise * (rise > 0.3)
            seen = counted[given.log_bulk[0] - known > rise / 2].sum() / counted.sum()
            assert found.support[0, j] == pytest.approx(seen, rel=1e-6)


def test_the_profile_that_is_there_has_the_evidence(profiles, own_weight, every_tissue):
    given = residuals(profiles, [0.0, 0.1, 0.4])
    found = evidence(given, profiles, own_weight=own_weight, every_tissue=every_tissue, pooled=True)
    assert found.gain.argmax(1).tolist()[1:] == [0, 0]
    assert found.gain[2, 0] > found.gain[1, 0] > 0.1
    assert found.support[1:, 0].min() > 0.9
    assert (found.gain[0] < 0.01).all() | (found.support[0] < 0.5).all()


def test_a_platform_that_resembles_every_tissue_is_no_evidence(profiles, own_weight):
    """Signal in all silent genes is explained as well by a mixture of tissues as by any of them."""
    given = residuals(profiles, [0.0])
    raised = given.log_bulk.copy()
    raised[:, N_GENES:] = np.log(0.1 * 4_000 + FLOOR)
    mixture = np.where(np.arange(profiles.shape[1]) < N_GENES, given.expected[0], 4_000)
    found = evidence(
        given._replace(log_bulk=raised), profiles, own_weight=own_weight, every_tissue=mixture, pooled=False
    )
    assert found.gain.max() < 0.01
