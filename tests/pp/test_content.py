from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpvade.pp import cell_fractions, consensus_rna_content, restrict_to_genes, rna_fractions


def test_hand_worked():
    # Half and half, but a monocyte holds three times the RNA.
    np.testing.assert_allclose(rna_fractions(np.array([0.5, 0.5]), np.array([1.0, 3.0])), [0.25, 0.75])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.floats(0.1, 10))
def test_round_trip(raw, scale):
    p = np.array(raw) / sum(raw)
    m = scale * np.arange(1, len(p) + 1)
    r = rna_fractions(p, m)
    np.testing.assert_allclose(r.sum(), 1)
    np.testing.assert_allclose(cell_fractions(r, m), p)


def test_consensus_of_one_reference_is_its_own():
    m = np.array([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(consensus_rna_content(m), m[0])


def test_depth_of_a_reference_does_not_matter_to_the_pattern():
    m = np.array([1.0, 2.0, 5.0])
    consensus = consensus_rna_content(np.stack([m, 10 * m]))
    np.testing.assert_allclose(consensus / consensus[0], m)


def test_consensus_is_as_strong_as_the_clearest_reference():
    # Log m = ±1 in one reference, ±3 in the other: the mean pattern ±2 is stretched to ±3.
    m = np.exp(np.array([[-1.0, 1.0], [-3.0, 3.0]]))
    np.testing.assert_allclose(np.log(consensus_rna_content(m)), [-3.0, 3.0])


def test_references_that_contradict_each_other_give_equal_content():
    m = np.array([[1.0, 4.0], [4.0, 1.0]])
    np.testing.assert_allclose(consensus_rna_content(m), [2.0, 2.0])


def test_references_that_nearly_contradict_each_other_are_not_blown_up():
    m = np.array([[1.0, 4.0], [3.9, 1.0]])
    consensus = consensus_rna_content(m)
    assert 1.0 < consensus[1] / consensus[0] < 1.1


def test_consensus_where_a_reference_lacks_a_type():
    m = np.array([[1.0, 2.0, 8.0], [10.0, 20.0, np.nan]])
    consensus = consensus_rna_content(m)
    np.testing.assert_allclose(consensus / consensus[0], [1.0, 2.0, 8.0])


def test_mixing_holds_within_some_genes():
    rng = np.random.default_rng(0)
    cell = rng.uniform(1, 9, (8, 3))  # counts of one cell of each type
    p, genes = np.array([0.5, 0.3, 0.2]), np.arange(8) < 5
    part, content = restrict_to_genes(cell / cell.sum(0) * 1e6, cell.sum(0), genes=genes)
    np.testing.assert_allclose(content, cell[genes].sum(0))
    expected = cell[genes] @ p
    np.testing.assert_allclose(part @ rna_fractions(p, content), expected / expected.sum() * 1e6)
