from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from hpvade._errors import LabelError
from hpvade.pp import signature, sum_by_group

# Two cells of A (4 and 16 counts), one of B: 3 genes × 2 types, worked by hand.
COUNTS = np.array([[1, 3, 0], [10, 0, 6], [0, 5, 5]], dtype=np.float32)
LABELS = ["A", "A", "B"]


def test_hand_worked_signature():
    result = signature(sp.csr_matrix(COUNTS), LABELS, genes=["g1", "g2", "g3"])
    assert result.cell_types == ("A", "B")
    np.testing.assert_allclose(result.cpm, np.array([[11, 0], [3, 10], [6, 10]]) / 20 * 1e6)
    np.testing.assert_allclose(result.cpm.sum(0), 1e6)
    np.testing.assert_allclose(result.rna_content, [10, 10])


def test_mean_of_per_cell_cpm_is_another_answer():
    per_cell = COUNTS / COUNTS.sum(1, keepdims=True) * 1e6
    wrong = np.stack([per_cell[:2].mean(0), per_cell[2]], 1)
    right = signature(sp.csr_matrix(COUNTS), LABELS, genes=["g1", "g2", "g3"]).cpm
    assert np.abs(wrong - right).max() > 1e5


def test_type_without_counts_is_named():
    counts = sp.csr_matrix(np.array([[1, 2], [0, 0]], dtype=np.float32))
    with pytest.raises(LabelError, match="'Empty'"):
        signature(counts, ["Full", "Empty"], genes=["a", "b"])


@pytest.mark.parametrize("block_size", [1, 2, 3, 100])
def test_block_size_changes_nothing(block_size):
    rng = np.random.default_rng(0)
    counts = sp.csr_matrix(rng.poisson(1, (50, 7)).astype(np.float32))
    groups = rng.integers(-1, 4, 50)
    expected = np.stack([counts.toarray()[groups == k].sum(0) for k in range(4)])
    np.testing.assert_array_equal(sum_by_group(counts, groups, n_groups=4, block_size=block_size), expected)
