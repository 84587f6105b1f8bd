"""Damaged and strange inputs by kind, each made from a good one with a seed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd

import hpvade

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = """\
preset: fast
train: {max_epochs: 1}
simulate: {n_mixtures: 40, n_heldout: 20, n_cells: 10}
deconvolve: {n_calibration: 10}
"""
STRANGE = [
    *("", " ", "NA", "nan", "inf", "-inf", "1e400", "-1e-400", "1e308", "-5", "0x10", "1_000", "1,5"),
    *("1,000.5", "\u0661\u0662", "\uff11\uff12", "\u00bd", "true", "None", "=1+1", "\t", "\x00", "1\x002"),
    *(
        "\x1b[31m",
        "\u202eabc",
        "\u00e9",
        "\U0001f600",
        '"',
        '"a',
        "'",
        "#",
        "a" * 5_000,
        "9" * 400,
        "9" * 5_000,
    ),
    *("../../etc/passwd", "%s%n", "{0}", "<script>", "\r", "\ufeff", "-", "--help", "a" * 200_000),
]


@dataclass(frozen=True)
class Case:
    """A command with a damaged input, and the output folder that it would write."""

    name: str
    arguments: list[str]
    output: Path | None = None


@dataclass
class Inputs:
    """Good inputs, made once."""

    folder: Path
    reference: Path = field(init=False)
    bulk: Path = field(init=False)
    model: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        cells = hpvade.testing.tiny_reference(n_genes=120)
        cells.write_h5ad(self.folder / "reference.h5ad")
        bulk = hpvade.testing.tiny_bulk(cells)
        bulk.to_df().T.to_csv(self.folder / "bulk.tsv", sep="\t")
        plain = ad.AnnData(bulk.X, obs=bulk.obs[[]], var=bulk.var[[]])
        plain.write_h5ad(self.folder / "bulk.h5ad")
        with ad.settings.override(zarr_write_format=2, auto_shard_zarr_v3=False):
            plain.write_zarr(self.folder / "bulk.v2.zarr")
            cells.write_zarr(self.folder / "reference.v2.zarr")
        with ad.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
            cells.write_zarr(self.folder / "reference.v3.zarr")
        self.cells, self.n_samples = cells, bulk.n_obs
        self.samples = list(bulk.obs_names)
        self.reference, self.bulk = self.folder / "reference.h5ad", self.folder / "bulk.tsv"
        (self.folder / "quick.yaml").write_text(QUICK)
        self._write_tenx(cells)
        self._write_tables(cells)
        self.model = self.folder / "trained"

    def _write_tenx(self, cells: ad.AnnData) -> None:
        from scipy.io import mmwrite

        folder = self.folder / "tenx"
        folder.mkdir()
        mmwrite(folder / "matrix.mtx", cells.layers["counts"].T.astype(int))
        pd.Series(cells.obs_names).to_csv(folder / "barcodes.tsv", sep="\t", header=False, index=False)
        genes = pd.DataFrame({"id": cells.var_names, "name": cells.var_names, "type": "Gene Expression"})
        genes.to_csv(folder / "features.tsv", sep="\t", header=False, index=False)
        cells.obs[["cell_type"]].to_csv(folder / "labels.tsv", sep="\t", index_label="barcode")

    def _write_tables(self, cells: ad.AnnData) -> None:
        types = sorted(cells.obs["cell_type"].unique())
        tables = {
            "label_map.tsv": pd.DataFrame({"label": types, "cell_type": types, "level_1": ["x", *types[1:]]}),
            "rna_content.tsv": pd.DataFrame(
                {"cell_type": types, "rna_content": [1.0, 2.0, 1.5][: len(types)]}
            ),
            "groups.tsv": pd.DataFrame(
                {
                    "sample": self.samples,
                    "group": ["a", "b"] * (len(self.samples) // 2) + ["a"] * (len(self.samples) % 2),
                }
            ),
            "purity.tsv": pd.DataFrame({"sample": self.samples, "purity": 0.1}),
            "truth.tsv": pd.DataFrame({"sample": self.samples, **dict.fromkeys(types, 0.3)}),
        }
        for name, table in tables.items():
            table.to_csv(self.folder / name, sep="\t", index=False)


def damage_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, insert, repeat or overwrite bytes."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, max(len(data), 1)))
        size = int(rng.choice([1, 1, 4, 64, 1_000]))
        kind = rng.integers(0, 6)
        if kind == 0:
            data[at : at + size] = bytes(b ^ 1 << int(rng.integers(0, 8)) for b in data[at : at + size])
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = rng.bytes(size)
        elif kind == 3:
            data[at:at] = data[at : at + size]
        elif kind == 4:
            data[at : at + size] = b"\0" * size
        else:
            del data[at : at + size]
    return bytes(data)


def damage_table(text: str, rng: np.random.Generator, *, separator: str = "\t") -> str:
    """Replace cells, rows, columns, names and separators of a table."""
    rows = [line.split(separator) for line in text.splitlines()]
    for _ in range(rng.integers(1, 4)):
        i = int(rng.integers(0, len(rows)))
        j = int(rng.integers(0, max(len(rows[i]), 1)))
        strange = str(rng.choice(STRANGE))
        kind = rng.integers(0, 10)
        if kind <= 2 and rows[i]:
            rows[i][min(j, len(rows[i]) - 1)] = strange
        elif kind == 3:
            for row in rows:
                row[j : j + 1] = [strange]
        elif kind == 4:
            rows[i] = [strange] * len(rows[i])
        elif kind == 5:
            rows[i] = rows[i][:j]
        elif kind == 6:
            rows.insert(i, list(rows[int(rng.integers(0, len(rows)))]))
        elif kind == 7:
            rows[0] = rows[0][:1] + rows[0][-1:] * (len(rows[0]) - 1)
        elif kind == 8:
            del rows[i]
        else:
            rows[i] = rows[i] * 50
        rows = rows or [[""]]
    joined = str(rng.choice([separator, separator, separator, ",", ";", " ", "|"]))
    return "\n".join(joined.join(row) for row in rows) + "\n"


def damage_hdf5(path: Path, rng: np.random.Generator) -> None:
    """Remove, retype, resize, relink or rename objects and attributes of an HDF5 file."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(rng.integers(1, 3)):
            name = str(rng.choice(names))
            link = file.get(name, getlink=True)  # None if it was removed
            if not isinstance(link, h5py.HardLink) or getattr(file[name], "size", 0) > 10**6:  # huge by now
                continue
            _damage_object(file, name, rng)


def _damage_object(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    stored = file[name]
    kind = rng.integers(0, 10)
    attributes = list(stored.attrs)
    if kind == 0:
        del file[name]
    elif kind == 1 and attributes:
        del stored.attrs[str(rng.choice(attributes))]
    elif kind == 2 and attributes:
        values: list[Any] = [
            "nonsense",
            5,
            np.array([1, -7]),
            b"\xff",
            "csr_matrix",
            "csc_matrix",
            "array",
            2**40,
        ]
        stored.attrs[str(rng.choice(attributes))] = values[int(rng.integers(0, len(values)))]
    elif kind == 3:
        del file[name]
        targets = ["/", f"/{name}", "/nowhere", "/obs", "/X"]
        file[name] = h5py.SoftLink(str(rng.choice(targets)))
    elif kind == 4:
        del file[name]
        file[name] = h5py.ExternalLink("/etc/passwd", "/X")
    elif isinstance(stored, h5py.Dataset):
        _replace_dataset(file, name, stored, rng, kind=int(kind))
    elif kind == 5:
        del file[name]
        file[name] = np.arange(5)


def _replace_dataset(
    file: h5py.File, name: str, stored: h5py.Dataset, rng: np.random.Generator, *, kind: int
) -> None:
    values, attributes = stored[()], dict(stored.attrs)
    del file[name]
    if kind == 5:
        file.create_dataset(name, shape=(10**7, 10**6), dtype="f8", chunks=(1_000, 1_000))
    elif kind == 6 and np.ndim(values):
        file[name] = values[: len(values) // 2]
    elif kind == 7 and np.asarray(values).dtype.kind in "iuf":
        dtype = str(rng.choice(["complex128", "bool", "int8", "float16", "uint64", "S5", "float32"]))
        with np.errstate(all="ignore"):
            file[name] = np.asarray(values).astype(dtype)
    elif kind == 8 and np.asarray(values).dtype.kind in "iuf" and np.size(values):
        changed = np.array(values)
        strange = [np.nan, np.inf, -1, 2**31, -(2**31), 1e300, 0.5]
        with np.errstate(all="ignore"):
            changed.flat[int(rng.integers(0, changed.size))] = np.array(
                strange[int(rng.integers(0, 7))]
            ).astype(changed.dtype)
        file[name] = changed
    elif np.ndim(values) == 1:
        file[name] = np.concatenate([values, values])
    else:
        file[name] = np.zeros((3, 3, 3))
    file[name].attrs.update(attributes)


def damage_json(value: Any, rng: np.random.Generator, depth: int = 0) -> Any:
    """Change one value somewhere in JSON."""
    strange: list[Any] = [
        None,
        [],
        {},
        -1,
        0,
        2**63,
        10**400,
        1e308,
        "x",
        "9" * 5_000,
        True,
        [[[]]],
        {"id": "pickle"},
    ]
    if isinstance(value, dict) and value and (depth == 0 or rng.random() < 0.8):
        key = list(value)[int(rng.integers(0, len(value)))]
        if rng.random() < 0.2:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: damage_json(value[key], rng, depth + 1)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        changed = list(value)
        at = int(rng.integers(0, len(value)))
        changed[at] = damage_json(value[at], rng, depth + 1)
        return changed
    return strange[int(rng.integers(0, len(strange)))]


def damage_zarr(path: Path, rng: np.random.Generator) -> None:
    """Damage chunks and metadata of a zarr store."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    damaged: set[Path] = set()
    for _ in range(rng.integers(1, 3)):
        file = files[int(rng.integers(0, len(files)))]
        if not file.exists():
            continue
        kind = rng.integers(0, 4)
        is_metadata = file.name in {".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"}
        if kind == 0:
            file.unlink()
        elif is_metadata and kind < 3 and file not in damaged:
            file.write_text(json.dumps(damage_json(json.loads(file.read_text()), rng)))
        else:
            damaged.add(file)
            file.write_bytes(damage_bytes(file.read_bytes(), rng))


def damage_yaml(rng: np.random.Generator) -> str:
    """Make a settings file of strange parts."""
    sections = {
        "train": ["max_epochs", "learning_rate", "batch_size", "patience"],
        "simulate": [
            "n_mixtures",
            "n_cells",
            "n_heldout",
            "concentration",
            "platform_width",
            "depth",
            "prior",
        ],
        "network": ["n_latent", "vae_hidden", "hidden", "members", "dropout"],
        "preprocess": ["n_markers", "n_genes", "n_states", "min_cells", "heldout_fraction"],
        "deconvolve": ["prior_strength", "noise_floor", "outlier", "n_calibration"],
        "loss": ["kl", "reconstruction"],
    }
    values = [
        *("-1", "0", "1e300", "1e-300", ".nan", ".inf", "1000000000000", "'x'", "[1, 2]", "{a: 1}", "null"),
        *("true", "9" * 5_000, "2001-13-45", "!!python/object:os.system x", "!!binary x", "&a [*a]"),
        *("[" * 500 + "]" * 500, "*nothing", "'" + "x" * 10_000 + "'", "0o7", "1:2:3", "? a", "|", "\t"),
        "[1000000000, 1000000000]",
    ]
    if rng.random() < 0.1:
        return "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
        )
    if rng.random() < 0.1:
        return damage_bytes(QUICK.encode(), rng).decode("latin-1")
    section = str(rng.choice(list(sections)))
    key = str(rng.choice(sections[section]))
    value = str(rng.choice(values))
    line = f"{section}: {{{key}: {value}}}\n" if rng.random() < 0.8 else f"{key}: {value}\n"
    return line if rng.random() < 0.3 else f"preset: fast\n{line}"


OPTIONS = {
    "--seed": ["-1", "1e3", "99999999999999999999", "x", "0"],
    "--coverage": ["0", "1", "nan", "-0.5", "1e-300", "0.5", "0.999999999999"],
    "--threads": ["0", "-1", "1000000000", "x", "1"],
    "--shard": ["1/99999999999999999999", "0/1", "2/1", "1/1", "a/b", "1/0", "-1/2"],
    "--bulk-unit": ["auto", "counts", "cpm", "log2", "x", ""],
    "--world": ["none", "/nowhere", "", "bulk.tsv", "."],
    "--groups": ["/nowhere", ".", "/dev/null", "bulk.tsv"],
    "--purity": ["/nowhere", ".", "/dev/null", "bulk.tsv"],
    "--expression": ["/nowhere/x.h5ad", ".", "/dev/full", ""],
    "--config": ["/nowhere", ".", "/dev/null", "bulk.tsv"],
}


def case(kind: str, seed: int, inputs: Inputs, folder: Path) -> Case:
    """Make one case of a kind in an empty folder."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    return MAKERS[kind](rng, inputs, folder)


def _deconvolve(inputs: Inputs, bulk: Path, folder: Path, *more: str, model: Path | None = None) -> Case:
    out = folder / "out"
    command = [
        "deconvolve",
        str(model or inputs.model),
        str(bulk),
        "-o",
        str(out),
        "--no-report",
        "--threads",
        "1",
    ]
    return Case(bulk.name, [*command, *more], out)


def _bulk_text(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    text = inputs.bulk.read_text()
    kind = rng.integers(0, 4)
    content = (
        damage_bytes(text.encode(), rng) if kind == 0 else damage_table(text, rng).encode(errors="replace")
    )
    if kind == 1:
        content = damage_bytes(gzip.compress(content), rng) if rng.random() < 0.5 else gzip.compress(content)
    path = folder / str(rng.choice(["bulk.tsv", "bulk.csv", "bulk.tsv.gz", "bulk", "bulk.txt"]))
    path.write_bytes(content)
    return _deconvolve(inputs, path, folder)


def _bulk_h5ad(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "bulk.h5ad"
    shutil.copy(inputs.folder / "bulk.h5ad", path)
    _damage_h5(path, rng)
    return _deconvolve(inputs, path, folder)


def _damage_h5(path: Path, rng: np.random.Generator) -> None:
    if rng.random() < 0.2:
        path.write_bytes(damage_bytes(path.read_bytes(), rng))
    else:
        damage_hdf5(path, rng)


def _bulk_zarr(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "bulk.zarr"
    shutil.copytree(inputs.folder / "bulk.v2.zarr", path)
    damage_zarr(path, rng)
    return _deconvolve(inputs, path, folder)


def _reference_h5ad(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "reference.h5ad"
    shutil.copy(inputs.reference, path)
    _damage_h5(path, rng)
    return _use_reference(rng, path, inputs, folder)


def _use_reference(rng: np.random.Generator, path: Path, inputs: Inputs, folder: Path) -> Case:
    if rng.random() < 0.5:
        return Case(path.name, ["validate", str(path), "--bulk", str(inputs.bulk)])
    if rng.random() < 0.5:
        return Case(path.name, ["preprocess", str(path), "-o", str(folder / "prepared.h5ad")])
    small = ["--max-cells", "20", "--config", str(inputs.folder / "quick.yaml"), "--threads", "1"]
    return Case(path.name, ["train", str(path), "-o", str(folder / "m"), *small])


def _reference_zarr(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "reference.zarr"
    shutil.copytree(inputs.folder / str(rng.choice(["reference.v2.zarr", "reference.v3.zarr"])), path)
    damage_zarr(path, rng)
    return _use_reference(rng, path, inputs, folder)


def _tenx(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "tenx"
    shutil.copytree(inputs.folder / "tenx", path)
    file = path / str(rng.choice(["matrix.mtx", "matrix.mtx", "barcodes.tsv", "features.tsv", "labels.tsv"]))
    text = file.read_text()
    if file.name == "matrix.mtx" and rng.random() < 0.7:
        file.write_text(damage_table(text, rng, separator=" "))
    elif rng.random() < 0.5:
        file.write_bytes(damage_bytes(text.encode(), rng))
    else:
        file.write_text(damage_table(text, rng))
    return Case(file.name, ["validate", str(path)])


def _model(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "trained"
    shutil.copytree(inputs.model, path)
    files = sorted((path / "model").iterdir())
    file = files[int(rng.integers(0, len(files)))]
    if file.suffix == ".json" and rng.random() < 0.7:
        file.write_text(json.dumps(damage_json(json.loads(file.read_text()), rng)))
    elif file.suffix == ".tsv" and rng.random() < 0.7:
        file.write_text(damage_table(file.read_text(), rng))
    else:
        file.write_bytes(damage_bytes(file.read_bytes(), rng))
    return _deconvolve(inputs, inputs.bulk, folder, model=path)


def _tables(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    name = str(rng.choice(["label_map.tsv", "rna_content.tsv", "groups.tsv", "purity.tsv", "truth.tsv"]))
    path = folder / (name if rng.random() < 0.8 else f"{name}.gz")
    text = (inputs.folder / name).read_text()
    content = (
        damage_table(text, rng).encode(errors="replace")
        if rng.random() < 0.7
        else damage_bytes(text.encode(), rng)
    )
    if path.suffix == ".gz":
        content = damage_bytes(gzip.compress(content), rng) if rng.random() < 0.5 else gzip.compress(content)
    path.write_bytes(content)
    if rng.random() < 0.03:
        path.unlink()
        os.mkfifo(path)
    if name in {"label_map.tsv", "rna_content.tsv"}:
        option = "--label-map" if name == "label_map.tsv" else "--rna-content"
        out = str(folder / "m")
        quick = ["--config", str(inputs.folder / "quick.yaml"), "--threads", "1"]
        if option == "--label-map" and rng.random() < 0.5:
            return Case(path.name, ["validate", str(inputs.reference), option, str(path)])
        return Case(path.name, ["train", str(inputs.reference), "-o", out, option, str(path), *quick])
    if name == "truth.tsv":
        metrics = str(folder / "metrics.json")
        return Case(path.name, ["evaluate", str(path), str(inputs.folder / "truth.tsv"), "-o", metrics])
    return _deconvolve(inputs, inputs.bulk, folder, f"--{name.removesuffix('.tsv')}", str(path))


def _config(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    path = folder / "settings.yaml"
    path.write_text(damage_yaml(rng), encoding="utf-8", errors="replace")
    command = ["train", str(inputs.reference), "-o", str(folder / "m"), "--threads", "1", "--max-epochs", "1"]
    return Case("settings", [*command, "--config", str(path)])


def _option(rng: np.random.Generator, inputs: Inputs, folder: Path) -> Case:
    name = str(rng.choice(list(OPTIONS)))
    value = str(rng.choice(OPTIONS[name]))
    value = str(inputs.folder / value) if value in {"bulk.tsv", "."} else value
    found = _deconvolve(inputs, inputs.bulk, folder, f"{name}={value}")
    return Case(f"{name}={value}", found.arguments, found.output)


MAKERS: dict[str, Callable[[np.random.Generator, Inputs, Path], Case]] = {
    "bulk text": _bulk_text,
    "bulk h5ad": _bulk_h5ad,
    "bulk zarr": _bulk_zarr,
    "reference h5ad": _reference_h5ad,
    "reference zarr": _reference_zarr,
    "10x": _tenx,
    "model": _model,
    "tables": _tables,
    "settings": _config,
    "options": _option,
}
KINDS = list(MAKERS)
