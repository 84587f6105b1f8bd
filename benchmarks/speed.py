"""Speed of simulating mixtures: the compiled kernel compared with NumPy and SciPy.

    python benchmarks/speed.py kernel results.tsv [--cells 500000] [--mixtures 10000]

All methods sum the same cells, alternately, in the same session; the ratios are the result. Cells are random:
5,000 genes, of which 10% are expressed. The plain loop needs dense rows, and therefore fewer cells, which fit
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
N_CELLS = 1_000  # per mixture
DENSE_CELLS = 20_000
ROUNDS = 3


def random_cells(n: int, *, rng: np.random.Generator) -> sp.csr_matrix:
    """Simulate cells with 500 expressed genes each, in sorted order."""
    step = N_GENES // N_EXPRESSED
    genes = np.arange(N_EXPRESSED, dtype=np.int32) * step + rng.integers(0, step, (n, N_EXPRESSED), np.int32)
    counts = rng.integers(1, 10, genes.size).astype(np.float32)
    return sp.csr_matrix((counts, genes.ravel(), np.arange(n + 1) * N_EXPRESSED), shape=(n, N_GENES))


@numba.njit(parallel=True, nogil=True)
def read_rows(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Read every nonzero of the chosen rows once: the lower limit for any method."""
    sums = np.zeros(len(rows))
    for i in numba.prange(len(rows)):
        total = 0.0
        for row in rows[i]:
            for entry in range(indptr[row], indptr[row + 1]):
                total += data[entry] + indices[entry]
        sums[i] = total
    return sums


def sparse_product(counts: sp.csr_matrix, rows: np.ndarray) -> np.ndarray:
    """Multiply by the sparse matrix that assigns cells to mixtures."""
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
    """Time all methods alternately; seconds per 1,000 mixtures."""
    rng = np.random.default_rng(0)
    counts = random_cells(n_cells, rng=rng)
    rows = rng.integers(0, n_cells, (n_mixtures, N_CELLS))
    dense_rows = rng.integers(0, DENSE_CELLS, (100, N_CELLS))
    dense = counts[:DENSE_CELLS].toarray()
    parts = (counts.data, counts.indices, counts.indptr)
    methods = {
        "kernel": (lambda: sum_rows(counts, rows), n_mixtures),
        "reading the nonzeros": (lambda: read_rows(*parts, rows), n_mixtures),
        "SciPy sparse product": (lambda: sparse_product(counts, rows), n_mixtures),
        "kernel, dense cells": (lambda: sum_rows(counts, dense_rows), len(dense_rows)),
        "NumPy loop, dense cells": (lambda: dense_loop(dense, dense_rows), len(dense_rows)),
    }
    np.testing.assert_allclose(sum_rows(counts, dense_rows), dense_loop(dense, dense_rows))  # also compiles
    read_rows(*parts, dense_rows)
    table = []
    for n_round in range(ROUNDS):
        for name, (function, n) in methods.items():
            table.append((name, n_round, torch.get_num_threads(), 1000 * seconds(function) / n))
            print(*table[-1], flush=True)
    return pd.DataFrame(table, columns=["way", "round", "threads", "seconds_per_1000"])


def main() -> None:
    """Run the measurement and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=["kernel"])
    parser.add_argument("output")
    parser.add_argument("--cells", type=int, default=500_000)
    parser.add_argument("--mixtures", type=int, default=10_000)
    arguments = parser.parse_args()
    table = kernel(n_cells=arguments.cells, n_mixtures=arguments.mixtures)
    table.to_csv(arguments.output, sep="\t", index=False, float_format="%.4g")
    median = table.groupby("way", sort=False)["seconds_per_1000"].median()
    print((median / median["kernel"]).round(2).to_string())
    print("NumPy loop / kernel:", round(median["NumPy loop, dense cells"] / median["kernel, dense cells"], 2))


if __name__ == "__main__":
    main()
