"""How fast mixtures are simulated: the compiled kernel beside what one would write without it.

    python benchmarks/speed.py kernel results.tsv [--cells 500000] [--mixtures 10000]

Every way sums the same cells, in one sitting, in turn; what counts are the ratios. Cells are random: 5,000
genes, of which 10 % are expressed. The plain loop takes dense rows, and so only as many cells as fit
into memory.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from hpvade.simulate._mixtures import sum_rows

if TYPE_CHECKING:
    from collections.abc import Callable

N_GENES = 5_000
N_EXPRESSED = 500
N_CELLS = 1_000  # of a mixture
DENSE_CELLS = 20_000
ROUNDS = 3


def random_cells(n: int, *, rng: np.random.Generator) -> sp.csr_matrix:
    """Make cells with 500 expressed genes each, in sorted order."""
    step = N_GENES // N_EXPRESSED
    genes = np.arange(N_EXPRESSED, dtype=np.int32) * step + rng.integers(0, step, (n, N_EXPRESSED), np.int32)
    counts = rng.integers(1, 10, genes.size).astype(np.float32)
    return sp.csr_matrix((counts, genes.ravel(), np.arange(n + 1) * N_EXPRESSED), shape=(n, N_GENES))


@numba.njit(parallel=True, nogil=True)
def read_rows(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Touch every nonzero of the chosen rows once, and do nothing else with them."""
    seen = np.zeros(len(rows))
    for i in numba.prange(len(rows)):
        total = 0.0
        for row in rows[i]:
            for at in range(indptr[row], indptr[row + 1]):
                total += data[at] + indices[at]
        seen[i] = total
    return seen


def sparse_product(counts: sp.csr_matrix, rows: np.ndarray) -> np.ndarray:
    """Multiply by the matrix that says which cell is in which mixture."""
    weight = sp.csr_matrix(
        (np.ones(rows.size, np.float32), rows.ravel(), np.arange(len(rows) + 1) * rows.shape[1]),
        shape=(len(rows), counts.shape[0]),
    )
    return np.concatenate([(weight[i : i + 500] @ counts).toarray() for i in range(0, len(rows), 500)])


def dense_loop(dense: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sum dense rows, mixture by mixture."""
    return np.stack([dense[cells].sum(axis=0) for cells in rows])


def seconds(function: Callable[[], np.ndarray]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def kernel(*, n_cells: int, n_mixtures: int) -> pd.DataFrame:
    """Time the ways in turn; seconds for each 1,000 mixtures."""
    rng = np.random.default_rng(0)
    counts = random_cells(n_cells, rng=rng)
    rows = rng.integers(0, n_cells, (n_mixtures, N_CELLS))
    few = rng.integers(0, DENSE_CELLS, (100, N_CELLS))
    dense = counts[:DENSE_CELLS].toarray()
    parts = (counts.data, counts.indices, counts.indptr)
    ways = {
        "kernel": (lambda: sum_rows(counts, rows), n_mixtures),
        "reading the nonzeros": (lambda: read_rows(*parts, rows), n_mixtures),
        "SciPy sparse product": (lambda: sparse_product(counts, rows), n_mixtures),
        "kernel, dense cells": (lambda: sum_rows(counts, few), len(few)),
        "NumPy loop, dense cells": (lambda: dense_loop(dense, few), len(few)),
    }
    np.testing.assert_allclose(sum_rows(counts, few), dense_loop(dense, few))  # and compiles
    read_rows(*parts, few)
    table = []
    for n_round in range(ROUNDS):
        for name, (function, n) in ways.items():
            table.append((name, n_round, torch.get_num_threads(), 1000 * seconds(function) / n))
            print(*table[-1], flush=True)
    return pd.DataFrame(table, columns=["way", "round", "threads", "seconds_per_1000"])


def main() -> None:
    """Run one part and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=["kernel"])
    parser.add_argument("output")
    parser.add_argument("--cells", type=int, default=500_000)
    parser.add_argument("--mixtures", type=int, default=10_000)
    given = parser.parse_args()
    table = kernel(n_cells=given.cells, n_mixtures=given.mixtures)
    table.to_csv(given.output, sep="\t", index=False, float_format="%.4g")
    median = table.groupby("way", sort=False)["seconds_per_1000"].median()
    print((median / median["kernel"]).round(2).to_string())
    print("NumPy loop / kernel:", round(median["NumPy loop, dense cells"] / median["kernel, dense cells"], 2))


if __name__ == "__main__":
    main()
