"""What a run costs as references grow: seconds and peak memory of each stage.

    python benchmarks/scale.py make DATA_DIR cells.h5ad --cells 1000000
    python benchmarks/scale.py run cells.h5ad BULK results.tsv

`make` resamples and thins the cells of a reference of DATA_DIR until there are as many as asked for, over
20,000 genes (those of the reference, and copies of them under other names), and writes them by blocks. `run`
is one `hpvade run` in a process of its own; a line of what it took is appended to the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from hpvade.workflow.benchmark._fit import load_reference
from hpvade.workflow.benchmark._plan import benchmark_references

N_GENES = 20_000
BLOCK = 20_000
KEPT = (0.5, 1.0)  # share of a cell's counts
REFERENCE = "pbmc_hao"


def make(data: Path, output: Path, *, n_cells: int) -> None:
    """Write a large reference with the labels and genes of a small one."""
    import hpvade  # noqa: PLC0415 - the part that measures does without

    cells = load_reference(benchmark_references(hpvade.datasets.read_manifest(data))[REFERENCE])
    counts = cells.layers["counts"].tocsr()
    more = N_GENES - cells.n_vars
    counts = sp.csr_matrix(sp.hstack([counts, counts[:, :more]]))
    genes = [*cells.var_names, *(f"{name}-copy" for name in cells.var_names[:more])]
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, cells.n_obs, n_cells)
    obs = pd.DataFrame({"cell_type": cells.obs["cell_type"].astype(str).to_numpy()[chosen]})
    obs.index = [f"cell_{i}" for i in range(n_cells)]
    empty = sp.csr_matrix((0, N_GENES), dtype=np.float32)
    ad.AnnData(empty, var=pd.DataFrame(index=genes)).write_h5ad(output)
    with h5py.File(output, "r+") as file:
        del file["obs"]
        ad.io.write_elem(file, "obs", obs)
        del file["X"]
        ad.io.write_elem(file, "X", empty, dataset_kwargs={"chunks": (2**18,)})
        stored = ad.io.sparse_dataset(file["X"])
        for start in range(0, n_cells, BLOCK):
            block = counts[chosen[start : start + BLOCK]]
            share = rng.uniform(*KEPT, block.shape[0])
            block.data = rng.binomial(block.data.astype(np.int64), np.repeat(share, np.diff(block.indptr)))
            block = block.astype(np.float32)
            block.eliminate_zeros()
            stored.append(block)


def run(cells: Path, bulk: Path, table: Path) -> None:
    """Run hpvade once and append what it took."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results"
        command = [sys.executable, "-m", "hpvade", "run", str(cells), str(bulk), "-o", str(output), "--quiet"]
        subprocess.run(command, check=True)
        record = json.loads((output / "run.json").read_text())
    with h5py.File(cells) as file:
        n_cells, nnz = len(file["X/indptr"]) - 1, len(file["X/data"])
    row = {"cells": n_cells, "nonzeros": nnz, "bulk": bulk.name, "peak_memory_mb": record["peak_memory_mb"]}
    row |= {f"seconds_{stage}": seconds for stage, seconds in record["seconds"].items()}
    row |= {f"peak_mb_{stage}": peak for stage, peak in record["peak_memory_mb_up_to"].items()}
    earlier = [pd.read_csv(table, sep="\t")] if table.exists() else []
    pd.concat([*earlier, pd.DataFrame([row])]).to_csv(table, sep="\t", index=False)
    print(row)


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    maker = parts.add_parser("make")
    maker.add_argument("data", type=Path)
    maker.add_argument("output", type=Path)
    maker.add_argument("--cells", type=int, default=1_000_000)
    runner = parts.add_parser("run")
    runner.add_argument("cells", type=Path)
    runner.add_argument("bulk", type=Path)
    runner.add_argument("table", type=Path)
    given = parser.parse_args()
    if given.part == "make":
        make(given.data, given.output, n_cells=given.cells)
    else:
        run(given.cells, given.bulk, given.table)


if __name__ == "__main__":
    main()
