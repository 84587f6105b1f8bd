"""Estimates of scTAPE: python -P tape.py REFERENCE.h5ad BULK.tsv OUT.tsv SEED, in an empty folder."""

import sys

import anndata as ad
import numpy as np
import pandas as pd
import seaborn
from TAPE import Deconvolution


def main() -> None:
    """Run with the settings of its manual, adapted to all samples of a data set together."""
    reference, bulk, out, seed = sys.argv[1:]
    cells = ad.read_h5ad(reference)
    samples = pd.read_csv(bulk, sep="\t", index_col=0).T
    cells = cells[:, cells.var_names.isin(samples.columns)]
    table = pd.DataFrame(cells.X.toarray(), index=cells.obs["cell_type"].astype(str), columns=cells.var_names)
    seaborn.histplot = lambda **_: None  # skip plots
    np.random.seed(int(seed))  # noqa: NPY002 - used by its simulation
    _, fractions = Deconvolution(
        table,
        samples[cells.var_names],
        datatype="counts",
        scaler="mms",
        variance_threshold=0.98,
        mode="overall",
        adaptive=True,
        batch_size=128,
        epochs=128,
        seed=int(seed),
    )
    fractions.to_csv(out, sep="\t")


if __name__ == "__main__":
    main()
