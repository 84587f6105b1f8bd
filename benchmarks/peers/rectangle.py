"""Estimates of rectanglepy: python -P rectangle.py REFERENCE.h5ad BULK.tsv OUT.tsv SEED.

Its random seed is fixed internally, so SEED has no effect.
"""

import multiprocessing
import sys

import anndata as ad
import pandas as pd
import rectanglepy


def main() -> None:
    """Run with the defaults, in one process."""
    reference, bulk, out, _ = sys.argv[1:]
    cells = ad.read_h5ad(reference)
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str)
    cells.X = cells.X.toarray()  # dense, as in its tutorial
    samples = pd.read_csv(bulk, sep="\t", index_col=0).T
    multiprocessing.cpu_count = lambda: 1  # its clustering stage ignores n_cpus
    fractions, _ = rectanglepy.rectangle(cells, samples, n_cpus=1)
    fractions.to_csv(out, sep="\t")


if __name__ == "__main__":
    main()
