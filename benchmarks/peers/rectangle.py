"""Estimates of rectanglepy: python -P rectangle.py REFERENCE.h5ad BULK.tsv OUT.tsv SEED.

Its random numbers are fixed inside, so SEED changes nothing.
"""

import multiprocessing
import sys

import anndata as ad
import pandas as pd
import rectanglepy


def main() -> None:
    """Run with its defaults, on one process."""
    reference, bulk, out, _ = sys.argv[1:]
    cells = ad.read_h5ad(reference)
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str)
    cells.X = cells.X.toarray()  # dense, as in its tutorial
    samples = pd.read_csv(bulk, sep="\t", index_col=0).T
    multiprocessing.cpu_count = lambda: 1  # its stage of clusters does not pass n_cpus on
    fractions, _ = rectanglepy.rectangle(cells, samples, n_cpus=1)
    fractions.to_csv(out, sep="\t")


if __name__ == "__main__":
    main()
