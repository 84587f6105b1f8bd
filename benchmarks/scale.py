"""Run time and peak memory of each stage for references and bulk tables of increasing size.

    python benchmarks/scale.py make DATA_DIR cells.h5ad --cells 1000000
    python benchmarks/scale.py run cells.h5ad BULK results.tsv
    python benchmarks/scale.py cluster cells.h5ad BULK
    python benchmarks/scale.py samples DATA_DIR results.tsv --samples 100000
    python benchmarks/scale.py sizes results.tsv
    python benchmarks/scale.py plot RESULTS_DIR scale.png

`make` resamples and thins the cells of a reference in DATA_DIR to the requested number, over 20,000 genes
(those of the reference, and copies of them under other names), and writes them in blocks. `run` is one
`hpvade run` in a separate process; its run time and memory are appended to the table. `cluster` compares a
run without a cluster, with a Dask cluster of two workers, and with blocks a tenth of the size, and prints
the largest difference. `samples` deconvolves a table of 5,000 genes from h5ad and from zarr; the run from
h5ad is also killed half-way, resumed, and compared byte by byte. `sizes` runs simulated references of 5 to
100 cell types and 2,500 to 20,000 genes. `plot` draws all tables with their slopes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
import zarr

from hpvade.jobs.benchmark._fit import load_reference
from hpvade.jobs.benchmark._plan import benchmark_references

N_GENES = 20_000
BLOCK = 20_000
KEPT = (0.5, 1.0)  # share of the counts of a cell
REFERENCE = "pbmc_hao"
BULK, MORE_GENES = "monaco_GSE107011", "bulk_tpm_36k_genes.tsv.gz"
N_BULK_GENES = 5_000
BULK_CHUNK = 256
N_FITTED = 3


def make(data: Path, output: Path, *, n_cells: int) -> None:
    """Write a large reference with the labels and genes of a small one."""
    import hpvade  # noqa: PLC0415 - not needed by the other commands

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
    """Run hpvade once and append its run time and memory to the table."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results"
        subprocess.run(hpvade("run", cells, bulk, "-o", output), check=True)
        record = json.loads((output / "run.json").read_text())
    with h5py.File(cells) as file:
        n_cells, nnz = len(file["X/indptr"]) - 1, len(file["X/data"])
    row = {"cells": n_cells, "nonzeros": nnz, "bulk": bulk.name, "peak_memory_mb": record["peak_memory_mb"]}
    row |= {f"seconds_{stage}": seconds for stage, seconds in record["seconds"].items()}
    row |= {f"peak_mb_{stage}": peak for stage, peak in record["peak_memory_mb_up_to"].items()}
    _append(table, row)


def hpvade(*arguments: object, blocks: int | None = None) -> list[str]:
    """Return a command; ``blocks`` sets the number of cells per block when references are read."""
    if blocks is None:
        return [sys.executable, "-m", "hpvade", *map(str, arguments), "--quiet"]
    code = f"import hpvade.pp._pool as p; p._BLOCK = {blocks}; from hpvade.cli import main; main()"
    return [sys.executable, "-c", code, *map(str, arguments), "--quiet"]


def cluster(cells: Path, bulk: Path) -> None:
    """Compare a run without a cluster, with a cluster, and with smaller blocks."""
    from distributed import LocalCluster  # noqa: PLC0415 - optional dependency

    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder) / name for name in ("local", "cluster", "small blocks")}
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as workers:
            dask = ("--dask", workers.scheduler_address)
            for name, options, blocks in (
                ("local", (), None),
                ("cluster", dask, None),
                ("small blocks", dask, 1_000),
            ):
                command = hpvade("run", cells, bulk, "-o", outputs[name], *options, blocks=blocks)
                subprocess.run(command, check=True)
                print(name, json.loads((outputs[name] / "run.json").read_text())["seconds"], flush=True)
        tables = {
            name: [
                pd.read_csv(output / file, sep="\t", index_col=0)
                for file in ("signature.tsv.gz", "fractions.tsv")
            ]
            for name, output in outputs.items()
        }
    signature, fractions = tables["local"]
    for name in ("cluster", "small blocks"):
        relative = ((tables[name][0] - signature).abs() / signature.clip(lower=1e-300)).to_numpy().max()
        largest = (tables[name][1] - fractions).abs().to_numpy().max()
        print(f"{name}: S {relative:.1e} relative, fractions {largest:.1e}")


def samples(data: Path, table: Path, *, n_samples: int) -> None:
    """Deconvolve many samples, and check that a killed run resumes and produces the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model, tables = _model_and_samples(data, work, n_samples=n_samples)
        for kind, bulk in tables.items():
            output = work / f"from_{kind}"
            start = time.perf_counter()
            subprocess.run(hpvade("deconvolve", model, bulk, "-o", output), check=True)
            seconds = time.perf_counter() - start
            record = json.loads((output / "run.json").read_text())
            row = {"samples": n_samples, "genes": N_BULK_GENES, "format": kind, "seconds": round(seconds, 1)}
            row |= {
                "samples_per_second": round(n_samples / seconds),
                "peak_memory_mb": record["peak_memory_mb"],
            }
            _append(table, row)
        killed = work / "killed"
        command = hpvade("deconvolve", model, tables["h5ad"], "-o", killed)
        process = subprocess.Popen(command)
        try:
            process.wait(timeout=seconds / 2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        subprocess.run(command, check=True)
        kept = json.loads((killed / "run.json").read_text())["decisions"]["blocks_of_an_earlier_run"]
        same = all(
            (killed / file.name).read_bytes() == file.read_bytes()
            for file in (work / "from_h5ad").glob("*.tsv")
        )
        print(f"killed half-way: {kept} blocks had been kept; same bytes: {same}")


def _model_and_samples(data: Path, work: Path, *, n_samples: int) -> tuple[Path, dict[str, Path]]:
    """Train on the genes of a small table, and write a large one: noisy mixtures of its samples."""
    import hpvade as package  # noqa: PLC0415 - not needed by the other commands

    manifest = package.datasets.read_manifest(data)
    cells = load_reference(benchmark_references(manifest)[REFERENCE])
    entry = manifest.bulk[BULK]
    real = package.io.read_bulk(entry.path.with_name(MORE_GENES), unit=entry.unit, genes=cells.var_names)
    shared = cells.var_names.intersection(real.var_names)
    expressed = pd.Series(np.asarray(cells[:, shared].layers["counts"].sum(0)).ravel(), shared)
    genes = expressed.sort_values(ascending=False).index[:N_BULK_GENES]
    model = package.HPVADE(cells[:, genes].copy(), bulk=real[:, genes].copy())
    model.train(accelerator="cpu")
    model.save(work / "model")
    names = pd.DataFrame(index=[f"sample_{i}" for i in range(n_samples)])
    tables = {"h5ad": work / "bulk.h5ad", "zarr": work / "bulk.zarr"}
    empty = ad.AnnData(obs=names, var=pd.DataFrame(index=genes))
    empty.write_h5ad(tables["h5ad"])
    empty.write_zarr(tables["zarr"])
    layout = {
        "shape": (n_samples, len(genes)),
        "chunks": (min(BULK_CHUNK, n_samples), len(genes)),
        "dtype": "f4",
    }
    encoding = {"encoding-type": "array", "encoding-version": "0.2.0"}
    stored = zarr.open_group(tables["zarr"], mode="r+", use_consolidated=False)
    with h5py.File(tables["h5ad"], "r+") as file:
        arrays = [file.create_dataset("X", compression="lzf", **layout), stored.create_array("X", **layout)]
        for array in arrays:
            array.attrs.update(encoding)
        for start in range(0, n_samples, BLOCK):
            rng = np.random.default_rng(start)
            n = min(BLOCK, n_samples - start)
            mixed = rng.dirichlet(np.full(real.n_obs, 0.5), n) @ real[:, genes].X
            noisy = (mixed * rng.lognormal(0, 0.2, mixed.shape)).astype(np.float32)
            for array in arrays:
                array[start : start + n] = noisy
    zarr.consolidate_metadata(tables["zarr"])
    return work / "model", tables


def sizes(table: Path) -> None:
    """Run simulated references with increasing numbers of cell types and of genes."""
    import hpvade as package  # noqa: PLC0415 - not needed by the other commands

    plan = [("types", n, 5_000) for n in (5, 10, 20, 50, 100)]
    plan += [("genes", 10, n) for n in (2_500, 5_000, 10_000, 20_000)]
    for varied, n_types, n_genes in plan:
        types = tuple(f"type_{i}" for i in range(n_types))
        with tempfile.TemporaryDirectory() as folder:
            cells = package.testing.tiny_reference(n_cells=60, n_genes=n_genes, cell_types=types)
            package.testing.tiny_bulk(cells, n_samples=1_000).write_h5ad(Path(folder) / "bulk.h5ad")
            cells.write_h5ad(Path(folder) / "cells.h5ad")
            output = Path(folder) / "results"
            command = hpvade("run", Path(folder) / "cells.h5ad", Path(folder) / "bulk.h5ad", "-o", output)
            subprocess.run(command, check=True)
            record = json.loads((output / "run.json").read_text())
        row = {
            "grown": varied,
            "types": n_types,
            "genes": n_genes,
            "peak_memory_mb": record["peak_memory_mb"],
        }
        _append(table, row | {f"seconds_{stage}": s for stage, s in record["seconds"].items()})


def plot(folder: Path, picture: Path) -> None:
    """Draw seconds against size on log axes, with the slope over the three largest sizes."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - not needed by the other commands

    cells, sizes_table, many = (
        pd.read_csv(folder / f"scale{name}.tsv", sep="\t") for name in ("", "_sizes", "_samples")
    )
    many = many[many["format"] == "h5ad"].sort_values("samples")
    panels = {
        "cells of the reference": (cells.sort_values("cells"), "cells", ["seconds_read", "seconds_train"]),
        "samples": (many, "samples", ["seconds"]),
        **{
            what: (
                sizes_table[sizes_table["grown"] == what],
                what,
                ["seconds_prepare", "seconds_train", "seconds_deconvolve"],
            )
            for what in ("types", "genes")
        },
    }
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), layout="constrained")
    for axis, (title, (data, x, columns)) in zip(axes, panels.items(), strict=True):
        for column in columns:
            last = np.log(data[[x, column]].tail(N_FITTED).to_numpy(float))
            slope = np.polyfit(last[:, 0], last[:, 1], 1)[0]
            name = column.removeprefix("seconds_").replace("seconds", "all")
            axis.loglog(data[x], data[column], "o-", label=f"{name}: slope {slope:.2f}")
        axis.set(xlabel=title, ylabel="seconds")
        axis.set_xticks(data[x], [f"{size:,}" for size in data[x]])
        axis.minorticks_off()
        axis.legend(frameon=False)
    figure.savefig(picture, dpi=120)


def _append(table: Path, row: dict) -> None:
    earlier = [pd.read_csv(table, sep="\t")] if table.exists() else []
    pd.concat([*earlier, pd.DataFrame([row])]).to_csv(table, sep="\t", index=False)
    print(row, flush=True)


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = parser.add_subparsers(dest="command", required=True)
    maker = parts.add_parser("make")
    maker.add_argument("data", type=Path)
    maker.add_argument("output", type=Path)
    maker.add_argument("--cells", type=int, default=1_000_000)
    runner = parts.add_parser("run")
    runner.add_argument("cells", type=Path)
    runner.add_argument("bulk", type=Path)
    runner.add_argument("table", type=Path)
    clustered = parts.add_parser("cluster")
    clustered.add_argument("cells", type=Path)
    clustered.add_argument("bulk", type=Path)
    many = parts.add_parser("samples")
    many.add_argument("data", type=Path)
    many.add_argument("table", type=Path)
    many.add_argument("--samples", type=int, default=100_000)
    parts.add_parser("sizes").add_argument("table", type=Path)
    drawn = parts.add_parser("plot")
    drawn.add_argument("folder", type=Path)
    drawn.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.data, arguments.output, n_cells=arguments.cells)
    elif arguments.command == "run":
        run(arguments.cells, arguments.bulk, arguments.table)
    elif arguments.command == "cluster":
        cluster(arguments.cells, arguments.bulk)
    elif arguments.command == "samples":
        samples(arguments.data, arguments.table, n_samples=arguments.samples)
    elif arguments.command == "sizes":
        sizes(arguments.table)
    else:
        plot(arguments.folder, arguments.picture)


if __name__ == "__main__":
    main()
