"""Expression per type and sample: contributions sum to the sample, and changes are assigned to their type."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score

from hpvade.deconvolve import split_by_cell_type
from hpvade.deconvolve._expression import NO_SINGLE_TYPE

N_GENES, N_TYPES, TYPE = 1_200, 4, 1


@pytest.fixture(scope="module")
def world():
    """Samples in half of which 100 genes of one type are raised, with noise and a platform effect."""
    rng = np.random.default_rng(0)
    counts = rng.gamma(0.8, size=(N_GENES, 1)) * np.exp(0.8 * rng.standard_normal((N_GENES, N_TYPES)))

    def samples(n, *, seed=0, noise=0.08):
        rng = np.random.default_rng(seed)
        fractions = rng.dirichlet(np.ones(N_TYPES), n)
        raised = rng.permutation(n) < n // 2
        program = rng.choice(N_GENES, 100, replace=False)
        change = np.ones((n, N_GENES))
        change[np.ix_(raised, program)] = rng.uniform(2, 8, 100)
        expression = np.tile(counts.T, (n, 1, 1))
        expression[:, TYPE] *= change
        bulk = (fractions[:, :, None] * expression).sum(1)
        platform = np.exp(0.4 * rng.standard_normal(N_GENES))
        return (
            1e5 * bulk * platform * np.exp(noise * rng.standard_normal(bulk.shape)),
            fractions,
            raised,
            program,
        )

    return counts, samples


def auroc(table, raised, program):
    """How well the t-statistic between two groups of samples ranks the genes of the program first."""
    log = np.log1p(table)
    in_program = np.isin(np.arange(N_GENES), program)
    return roc_auc_score(in_program, np.nan_to_num(ttest_ind(log[raised], log[~raised]).statistic))


def cpm(parts, fractions, counts):
    rna = fractions * counts.sum(0)
    rna /= rna.sum(1, keepdims=True)
    return parts / (rna[:, :, None] * parts.sum((1, 2))[:, None, None]) * 1e6


@pytest.mark.parametrize("n", [1, 3, 40])
def test_contributions_are_positive_and_sum_to_the_sample(world, n):
    counts, samples = world
    linear, fractions, _, _ = samples(n)
    linear[0, :50] = 0
    counts = counts.copy()
    counts[60:70] = 0  # genes that no type expresses
    counts[70:80, 1:] = 0
    fractions[-1] = np.eye(N_TYPES)[0]
    parts = split_by_cell_type(linear, fractions=fractions, counts=counts).contribution
    assert (parts >= 0).all()
    np.testing.assert_allclose(parts.sum(1), linear, rtol=1e-5)


def test_a_change_in_one_type_is_assigned_to_that_type_only(world):
    counts, samples = world
    linear, fractions, raised, program = samples(60)
    found = split_by_cell_type(linear, fractions=fractions, counts=counts)
    assert np.mean(found.varies_in[program] == TYPE) > 0.7
    table = cpm(found.contribution, fractions, counts)
    scores = [
        auroc(table[enough, k], raised[enough], program)
        for k in range(N_TYPES)
        for enough in [fractions[:, k] >= 0.1]
    ]
    assert scores[TYPE] > 0.95
    assert np.abs(np.delete(scores, TYPE) - 0.5).max() < 0.15  # neither raised nor lowered elsewhere
    bulk = [auroc(linear / linear.sum(1, keepdims=True) * 1e6, raised, program)]
    assert min(bulk) > 0.8  # the bulk shows the change too, but not the type


def test_samples_that_match_the_signature_are_split_by_it(world):
    counts, samples = world
    _, fractions, _, _ = samples(20)
    expected = fractions[:, :, None] * counts.T
    found = split_by_cell_type(1e5 * expected.sum(1), fractions=fractions, counts=counts)
    np.testing.assert_allclose(found.contribution, 1e5 * expected, rtol=1e-4)


def test_few_samples_do_not_show_where_genes_vary(world):
    counts, samples = world
    linear, fractions, _, _ = samples(5)
    assert (split_by_cell_type(linear, fractions=fractions, counts=counts).varies_in == NO_SINGLE_TYPE).all()
