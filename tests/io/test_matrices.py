"""Sparse matrices whose indices are wrong are refused, in every format that stores them."""

from __future__ import annotations

import shutil

import anndata as ad
import h5py
import numpy as np
import pytest
import zarr

import hpvade
from hpvade._errors import FileFormatError
from hpvade.io import open_reference, read_bulk, read_reference


def raise_index(parts):
    parts["indices"][3] = 10**6


def negative_index(parts):
    parts["indices"][3] = -5


def falling_starts(parts):
    parts["indptr"][5] = parts["indptr"][4] - 1


def starts_beyond_the_end(parts):
    parts["indptr"][-1] += 7


def first_start_is_not_zero(parts):
    parts["indptr"][0] = 2


def huge_start(parts):
    parts["indptr"][4] = 2**30


def fewer_values(parts):
    parts["data"] = parts["data"][:-3]


def complex_values(parts):
    parts["data"] = parts["data"] * (1 + 2j)


DAMAGE = [
    raise_index,
    negative_index,
    falling_starts,
    starts_beyond_the_end,
    first_start_is_not_zero,
    huge_start,
    fewer_values,
    complex_values,
]


def damage(group, change):
    parts = {name: group[name][:] for name in ("data", "indices", "indptr")}
    change(parts)
    for name, values in parts.items():
        del group[name]
        if isinstance(group, h5py.Group):
            group.create_dataset(name, data=values)
        else:
            group.create_array(name, data=values)


def write(path, change, *, key="layers/counts", csc=False):
    cells = hpvade.testing.tiny_reference()
    counts = cells.layers["counts"]
    cells = ad.AnnData(counts.tocsc() if csc else counts.copy(), obs=cells.obs, var=cells.var)
    cells.layers["counts"] = cells.X.copy()
    if path.suffix == ".zarr":
        with ad.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
            cells.write_zarr(path)
        file = zarr.open_group(path, mode="r+", use_consolidated=False)
        damage(file[key], change)
        shutil.rmtree(path / "layers") if key == "X" else None
        zarr.consolidate_metadata(path)
        return
    cells.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        damage(file[key], change)
        if key == "X":
            del file["layers/counts"]


def by_blocks(path):
    with open_reference(path) as file:
        list(file.blocks(10))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", DAMAGE)
@pytest.mark.parametrize("name", ["reference.h5ad", "reference.zarr"])
@pytest.mark.parametrize("read", [read_reference, by_blocks])
def test_reference(tmp_path, change, name, read):
    write(tmp_path / name, change)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", DAMAGE)
@pytest.mark.parametrize("name", ["bulk.h5ad", "bulk.zarr"])
@pytest.mark.parametrize("csc", [False, True], ids=["csr", "csc"])
def test_bulk(tmp_path, change, name, csc):
    write(tmp_path / name, change, key="X", csc=csc)
    with pytest.raises(FileFormatError, match=r"cannot be read|not numbers"):
        read_bulk(tmp_path / name)


@pytest.mark.parametrize("change", DAMAGE)
def test_tenx(tmp_path, change):
    cells = hpvade.testing.tiny_reference()
    counts = cells.layers["counts"]
    parts = {"data": counts.data.copy(), "indices": counts.indices.copy(), "indptr": counts.indptr.copy()}
    change(parts)
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        group = file.create_group("matrix")
        for name, values in parts.items():
            group[name] = values
        group["shape"] = counts.shape[::-1]
        group["barcodes"] = cells.obs_names.to_numpy().astype("S")
        for name, values in {"id": cells.var_names, "name": cells.var_names}.items():
            group[f"features/{name}"] = np.array(values).astype("S")
        group["features/feature_type"] = np.array(["Gene Expression"] * cells.n_vars).astype("S")
    labels = tmp_path / "labels.tsv"
    cells.obs[["cell_type"]].to_csv(labels, sep="\t")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_reference(tmp_path / "raw.h5", labels=labels)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [bool, complex])
def test_values_that_are_no_numbers(tmp_path, dtype):
    cells = hpvade.testing.tiny_reference()
    values = cells.layers["counts"].toarray().astype(dtype)
    ad.AnnData(values, obs=cells.obs, var=cells.var).write_h5ad(tmp_path / "bulk.h5ad")
    with pytest.raises(FileFormatError, match=r"not numbers|complex numbers"):
        read_bulk(tmp_path / "bulk.h5ad")
