from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp

from hpvade._errors import CountsError
from hpvade.datasets import invert_log_normalisation, pbmc68k_reduced


def logged(counts, totals, decimals=3):
    return sp.csr_matrix(np.round(np.log1p(counts / totals[:, None] * 1e4), decimals))


def test_counts_are_recovered():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.2, 10, 300), (20, 300)).astype(float)
    totals = counts.sum(1) + rng.integers(200, 2000, 20)  # genes that are not in the table
    counts[:, 0] = 1
    recovered = invert_log_normalisation(logged(counts, totals))
    np.testing.assert_array_equal(recovered.toarray(), counts)


def test_values_that_no_integer_counts_explain():
    rng = np.random.default_rng(0)
    with pytest.raises(CountsError, match="Cell 0 is not log1p"):
        invert_log_normalisation(sp.csr_matrix(rng.uniform(1, 5, (3, 50))))


def test_cell_without_counts():
    assert invert_log_normalisation(sp.csr_matrix((2, 4))).nnz == 0


def test_embedded_counts_agree_with_the_totals_that_scanpy_stored():
    """The inversion infers the total of each cell without the one in the file, which it must match."""
    source = sc.datasets.pbmc68k_reduced()
    totals = source.obs["n_counts"].to_numpy()[:, None]
    expected = np.rint(np.expm1(source.raw.X.toarray().astype(float)) * totals / 1e4)
    np.testing.assert_array_equal(pbmc68k_reduced().layers["counts"].toarray(), expected)


def test_embedded_reference():
    cells = pbmc68k_reduced()
    assert cells.shape == (700, 765)
    counts = cells.layers["counts"]
    assert (counts.data == np.rint(counts.data)).all()
    assert counts.data.min() >= 1
    assert cells.obs["cell_type"].nunique() == 7
    assert cells.obs["cell_type"].notna().all()
