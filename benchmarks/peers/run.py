"""Run other tools on the inputs of hpvade benchmark, each in its own virtual environment.

python benchmarks/peers/run.py MANIFEST.json -o estimates [--peers rectangle] [--references pbmc_hao all]

Writes REFERENCE.PEER.DATASET.SEED.tsv (samples × labels, fractions) and .json (time, peak memory, version),
or .error.txt. Existing estimates are not computed again; failures do not stop the others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

import hpvade

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
ALL = "all"
PEERS = {
    "scaden": {"TF_USE_LEGACY_KERAS": "1"},  # with Keras 3 it trains, but cannot save its model
    "tape": {
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # it loads a pickled model
        "MALLOC_MMAP_THRESHOLD_": "65536",  # otherwise stored losses fragment the heap, by many GB
        "MPLBACKEND": "Agg",
    },
    "rectangle": {},
}
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")} | {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
NO_NAME = "Unnamed: 0"  # pandas' name for the column of samples; read as text to keep the zeros of sample 001
TAIL = 20_000  # number of characters kept of the output of a failed tool


class PeerError(Exception):
    """A tool produced no usable estimate."""


@dataclass(frozen=True)
class Environment:
    """The interpreter of a tool, and the version of its package."""

    name: str
    python: Path
    version: str


def environment(peer: str, folder: Path) -> Environment:
    """Create the virtual environment of a tool, unless it exists with these requirements."""
    requirements, home = HERE / f"{peer}.txt", folder.resolve() / peer
    python, stamp = home / "bin" / "python", home / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"{peer}: creating its environment", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    package = requirements.read_text().split("==", 1)[0]
    query = f"from importlib.metadata import version; print(version({package!r}))"
    result = subprocess.run([python, "-c", query], check=True, capture_output=True, text=True)
    return Environment(peer, python, result.stdout.strip())


def read_cells(base: Path, manifest: dict, reference: str) -> ad.AnnData:
    """Read a reference: counts in X, labels in obs["cell_type"], the manifest's drop_labels removed."""
    source = manifest["references"][reference]
    key = source["labels_key"]
    cells = hpvade.io.read_reference(base / source["path"], labels_key=key, layer=source.get("layer"))
    kept = cells.obs[key].notna() & ~cells.obs[key].isin(source.get("drop_labels", []))
    labels = cells.obs.loc[kept, key].astype(str).to_numpy()
    obs = pd.DataFrame({"cell_type": labels}, index=reference + ":" + cells.obs_names[kept])
    return ad.AnnData(cells.layers["counts"][kept.to_numpy()], obs=obs, var=cells.var[[]])


def all_cells(base: Path, manifest: dict) -> ad.AnnData:
    """Combine the references that have coarse types: the types and genes that all of them share."""
    coarse = manifest["coarse_types"]
    shared = set.intersection(*(set(types) for types in coarse.values()))
    parts = []
    for reference, types in coarse.items():
        cells = read_cells(base, manifest, reference)
        coarse_types = {label: t for t in types if t in shared for label in types[t]}
        cells.obs["cell_type"] = cells.obs["cell_type"].map(coarse_types)
        parts.append(cells[cells.obs["cell_type"].notna()])
    return ad.concat(parts, join="inner")


def write_reference(base: Path, manifest: dict, reference: str, path: Path) -> None:
    """Write a reference as input for the tools."""
    cells = all_cells(base, manifest) if reference == ALL else read_cells(base, manifest, reference)
    cells.X = sparse.csr_matrix(cells.X, dtype=np.float32)
    cells.write_h5ad(path)


def write_bulk(base: Path, entry: dict, path: Path) -> None:
    """Write a data set as input, genes × samples: linear as read by hpvade, samples sum to a million."""
    bulk = hpvade.io.read_bulk(base / entry["path"], unit=entry["unit"])
    table = bulk.to_df().T
    (table / table.sum() * 1e6).to_csv(path, sep="\t", index_label="gene")


def once(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file if it does not exist; an existing file is always complete."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished.{path.name}")
        write(unfinished)
        unfinished.replace(path)
    return path


def estimate(peer: Environment, reference: Path, bulk: Path, *, seed: int) -> tuple[pd.DataFrame, dict]:
    """Run a tool on one pair, and measure the whole process with its children.

    Returns
    -------
    Fractions, samples × labels in the order of the reference, then any other columns; and the measurements.

    Raises
    ------
    PeerError
        It failed, omitted a sample or a label, or returned a value that is not a number.
    """
    variables = {**os.environ, **ONE_THREAD, **PEERS[peer.name], "PYTHONHASHSEED": str(seed)}
    with tempfile.TemporaryDirectory() as folder:
        table, log = Path(folder, "fractions.tsv"), Path(folder, "output.txt")
        script, inputs = HERE / f"{peer.name}.py", (reference.resolve(), bulk.resolve())
        start = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [peer.python, "-P", script, *inputs, table, str(seed)],
                cwd=folder,
                env=variables,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        code = process.returncode = os.waitstatus_to_exitcode(status)
        if code or not table.exists():
            msg = f"exit code {code} after {seconds:.0f} s\n{log.read_text(errors='replace')[-TAIL:]}"
            raise PeerError(msg)
        fractions = pd.read_csv(table, sep="\t", dtype={NO_NAME: str}).set_index(NO_NAME)
    measured = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_memory_mb": round(usage.ru_maxrss / 1024),  # Linux counts in KiB
        "version": peer.version,
    }
    return complete(fractions, reference=reference, bulk=bulk), measured


def complete(fractions: pd.DataFrame, *, reference: Path, bulk: Path) -> pd.DataFrame:
    """Check that nothing is missing, and sort samples and labels in the order of the inputs."""
    samples = list(pd.read_csv(bulk, sep="\t", index_col=0, nrows=0))
    labels = list(ad.read_h5ad(reference, backed="r").obs["cell_type"].unique())
    missing = sorted({*samples} - {*fractions.index}) + sorted({*labels} - {*fractions})
    if missing:
        msg = f"samples or labels without an estimate: {missing}"
        raise PeerError(msg)
    fractions = fractions.loc[samples, labels + [column for column in fractions if column not in labels]]
    if not np.isfinite(fractions.to_numpy()).all():
        msg = f"estimates that are not numbers:\n{fractions}"
        raise PeerError(msg)
    return fractions.rename_axis("sample")


def pair_done(output: Path, peer: Environment, cells: Path, bulk: Path, *, seed: int) -> bool:
    """Estimate one pair unless its estimate exists, and write and print the outcome."""
    table, error = Path(f"{output}.tsv"), Path(f"{output}.error.txt")
    if table.exists():
        return True
    try:
        fractions, measured = estimate(peer, cells, bulk, seed=seed)
    except PeerError as failure:
        error.write_text(f"{failure}\n")
        print(f"{output.name}: FAILED, see {error}", flush=True)
        return False
    Path(f"{output}.json").write_text(json.dumps(measured, indent=1) + "\n")
    once(table, lambda path: fractions.to_csv(path, sep="\t", float_format="%.6g"))
    error.unlink(missing_ok=True)
    print(f"{output.name}: {measured['seconds']:.0f} s, {measured['peak_memory_mb']} MB", flush=True)
    return True


def blood_sets(manifest: dict) -> list[str]:
    """List the data sets of which a headline type is a coarse type of a reference."""
    known = {t for types in manifest["coarse_types"].values() for t in types}
    return [name for name, entry in manifest["bulk"].items() if known & {*entry["headline_types"]}]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="manifest.json, or its folder")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--references", nargs="+", help=f"names, or '{ALL}'; default: all with coarse types")
    parser.add_argument("--datasets", nargs="+", help="default: all with a coarse type of a reference")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--envs", type=Path, default=HERE / ".envs", help="folder of the environments")
    return parser.parse_args()


def main() -> int:
    """Run the requested pairs; return 1 if one failed."""
    options = arguments()
    path = options.manifest / "manifest.json" if options.manifest.is_dir() else options.manifest
    manifest, base = json.loads(path.read_text()), path.parent
    references = options.references or [*manifest["coarse_types"], ALL]
    datasets = options.datasets or blood_sets(manifest)
    unknown = {*references} - {*manifest["references"], ALL} | {*datasets} - {*manifest["bulk"]}
    if unknown:
        sys.exit(f"not in {path}: {sorted(unknown)}")
    warnings.simplefilter("ignore")
    failures, inputs = 0, options.output / "inputs"
    for name in options.peers:
        peer = environment(name, options.envs)
        for reference in references:
            cells = once(inputs / f"{reference}.h5ad", partial(write_reference, base, manifest, reference))
            for dataset in datasets:
                bulk = once(inputs / f"{dataset}.tsv", partial(write_bulk, base, manifest["bulk"][dataset]))
                for seed in options.seeds:
                    pair = f"{reference}.{name}.{dataset}.{seed}"
                    failures += not pair_done(options.output / pair, peer, cells, bulk, seed=seed)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
