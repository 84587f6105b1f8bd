"""Estimates of scaden: python -P scaden.py REFERENCE.h5ad BULK.tsv OUT.tsv SEED, in an empty folder.

-P prevents that this file is imported instead of the package. Calls the functions behind `scaden simulate`,
`process`, `train` and `predict`, because the first command has no seed option.
"""

import random
import sys

import anndata as ad
import numpy as np
import pandas as pd
from scaden.predict import prediction
from scaden.process import processing
from scaden.simulate import simulation
from scaden.train import training


def main() -> None:
    """Simulate 1,000 mixtures of 500 cells, and train for 5,000 steps."""
    reference, bulk, out, seed = sys.argv[1:]
    cells = ad.read_h5ad(reference)
    genes = pd.read_csv(bulk, sep="\t", index_col=0).index
    cells = cells[:, cells.var_names.isin(genes)].copy()  # `process` drops the others too, but later
    cells.obs["Celltype"] = cells.obs["cell_type"].astype(str)
    cells.write_h5ad("reference_counts.h5ad")
    np.random.seed(int(seed))  # noqa: NPY002 - used by the simulation
    random.seed(int(seed))  # used by Keras for the initial weights
    simulation(
        simulate_dir="./",
        data_dir="./",
        sample_size=500,
        num_samples=1000,
        pattern="*_counts.h5ad",
        unknown_celltypes=["unknown"],
        out_prefix="simulated",
        fmt="h5ad",
    )
    processing(
        data_path=bulk, training_data="simulated.h5ad", processed_path="processed.h5ad", var_cutoff=0.1
    )
    training(
        data_path="processed.h5ad",
        train_datasets="",
        model_dir="model",
        batch_size=128,
        learning_rate=1e-4,
        num_steps=5000,
        seed=int(seed),
    )
    prediction(model_dir="model", data_path=bulk, out_name=out, seed=int(seed))


if __name__ == "__main__":
    main()
