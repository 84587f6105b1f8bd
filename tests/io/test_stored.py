"""How an AnnData may be stored: zipped, in a MuData file, with parts that anndata does not know."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack

import anndata as ad
import h5py
import numpy as np
import pytest

import hpvade
from hpvade._errors import FileFormatError
from hpvade._warnings import DataWarning
from hpvade.io import count_cells, open_reference, read_reference


@pytest.fixture
def cells():
    return hpvade.testing.tiny_reference()


def check(path, cells, note=None):
    """Check that a reference is read as a whole and by blocks."""
    with ExitStack() as stack:
        if note is not None:
            stack.enter_context(pytest.warns(DataWarning, match=note))
        found = read_reference(path)
        file = stack.enter_context(open_reference(path))
        by_blocks = file.block(0, file.n_obs)
        assert list(file.obs["cell_type"]) == list(cells.obs["cell_type"])
    expected = cells.layers["counts"].toarray()
    np.testing.assert_array_equal(found.layers["counts"].toarray(), expected)
    np.testing.assert_array_equal(by_blocks.toarray(), expected)
    assert list(found.obs["cell_type"]) == list(cells.obs["cell_type"])
    assert count_cells(path) == cells.n_obs
    return found


# zipped zarr


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("folder", ["", "reference.zarr/"], ids=["its content", "the folder"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2", "ignore:Consolidated metadata")
def test_zipped_zarr(cells, tmp_path, version, folder):
    with ad.settings.override(zarr_write_format=version, auto_shard_zarr_v3=False):
        cells.write_zarr(tmp_path / "reference.zarr")
    with zipfile.ZipFile(tmp_path / "reference.zarr.zip", "w") as archive:
        for file in (tmp_path / "reference.zarr").rglob("*"):
            if file.is_file():
                archive.write(file, folder + str(file.relative_to(tmp_path / "reference.zarr")))
    check(tmp_path / "reference.zarr.zip", cells)


# MuData, by its published layout


def write_mudata(root, modalities, obs):
    """Write each modality as an AnnData into mod, and the tables of all."""
    root.attrs["encoding-type"], root.attrs["encoding-version"] = "MuData", "0.1.0"
    group = root.create_group("mod")
    for name, modality in modalities.items():
        ad.io.write_elem(group, name, modality)
    ad.io.write_elem(root, "obs", obs)
    ad.io.write_elem(root, "var", next(iter(modalities.values())).var)


@pytest.fixture
def protein(cells):
    return ad.AnnData(np.ones((cells.n_obs, 2), np.float32), obs=cells.obs[[]])


@pytest.mark.parametrize("name", ["rna", "RNA", "gex"])
def test_gene_expression_of_a_mudata_file(cells, protein, tmp_path, name):
    with h5py.File(tmp_path / "both.h5mu", "w", userblock_size=512) as file:
        write_mudata(file, {"prot": protein, name: cells}, cells.obs[[]])
    found = check(tmp_path / "both.h5mu", cells, f"modality '{name}' of the MuData file was used, not 'prot'")
    assert found.n_vars == cells.n_vars


@pytest.mark.parametrize("kind", ["h5mu", "zarr"])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_labels_of_the_whole_mudata_file(cells, protein, tmp_path, kind):
    import zarr

    obs = cells.obs.iloc[::-1].copy()  # another order of cells
    bare = cells.copy()
    bare.obs = bare.obs[["donor"]]
    path = tmp_path / f"both.{kind}"
    with ad.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
        if kind == "zarr":
            write_mudata(zarr.open_group(path, mode="w"), {"rna": bare, "prot": protein}, obs)
        else:
            with h5py.File(path, "w") as file:
                write_mudata(file, {"rna": bare, "prot": protein}, obs)
    check(path, cells, "modality 'rna'")


def test_mudata_without_gene_expression(protein, tmp_path):
    with h5py.File(tmp_path / "prot.h5mu", "w") as file:
        write_mudata(file, {"prot": protein, "atac": protein}, protein.obs)
    with pytest.raises(
        FileFormatError, match=r"modalities 'atac', 'prot'; hpvade looked for 'rna'.*write_h5ad"
    ):
        read_reference(tmp_path / "prot.h5mu")


# parts that anndata does not know


def add_unknown(file, place):
    element = file.create_group(place)
    element.attrs["encoding-type"], element.attrs["encoding-version"] = "of-the-future", "9.0.0"


@pytest.mark.parametrize(
    "place",
    [
        "obsm/airr",
        "uns/neighbors/graph",
        "obsp/distances",
        "varm/PCs",
        "varp/links",
        "layers/new",
        "X",
        "raw/X",
    ],
)
def test_unknown_parts_are_left_out(cells, tmp_path, place):
    cells.obsm["X_umap"] = np.ones((cells.n_obs, 2))
    cells.uns["neighbors"] = {"n": 3}
    if place == "raw/X":
        cells.raw = cells.copy()
    cells.write_h5ad(tmp_path / "new.h5ad")
    with h5py.File(tmp_path / "new.h5ad", "a") as file:
        if place in file:
            del file[place]
        add_unknown(file, place)
    found = check(tmp_path / "new.h5ad", cells, f"anndata cannot read it: {place}")
    assert "X_umap" in found.obsm
    assert found.uns["neighbors"]["n"] == 3


def test_an_unknown_column_is_left_out(cells, tmp_path):
    cells.write_h5ad(tmp_path / "new.h5ad")
    with h5py.File(tmp_path / "new.h5ad", "a") as file:
        add_unknown(file, "obs/receptors")
        columns = [*file["obs"].attrs["column-order"], "receptors"]
        file["obs"].attrs["column-order"] = np.array(columns, dtype=h5py.string_dtype())
    found = check(tmp_path / "new.h5ad", cells, "obs/receptors")
    assert list(found.obs) == list(cells.obs)


def test_an_unknown_table_of_cells_is_refused(cells, tmp_path):
    cells.write_h5ad(tmp_path / "new.h5ad")
    with h5py.File(tmp_path / "new.h5ad", "a") as file:
        del file["obs"]
        add_unknown(file, "obs")
    with pytest.raises(FileFormatError, match=r"new\.h5ad cannot be read as an AnnData file"):
        read_reference(tmp_path / "new.h5ad")


def test_a_file_of_anndata_before_0_7(tmp_path):
    counts = np.arange(12, dtype=np.float32).reshape(3, 4)
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        file["obs"] = np.array(
            [(b"a", 0), (b"b", 1), (b"c", 1)], dtype=[("index", "S1"), ("cell_type", "i1")]
        )
        file["var"] = np.array([(b"CD3E",), (b"LYZ",), (b"ACTB",), (b"CD19",)], dtype=[("index", "S4")])
        file["X"] = np.log1p(counts)
        file["raw.X"], file["raw.var"] = counts, file["var"][:]
        file.create_group("uns")["cell_type_categories"] = np.array([b"T", b"B"])
    found = read_reference(tmp_path / "old.h5ad")
    assert count_cells(tmp_path / "old.h5ad") is None
    np.testing.assert_array_equal(found.layers["counts"].toarray(), counts)
    assert list(found.obs["cell_type"]) == ["T", "B", "B"]
    assert list(found.var_names) == ["CD3E", "LYZ", "ACTB", "CD19"]


@pytest.mark.parametrize("kind", ["link", "storage", "virtual"])
def test_parts_of_other_files_are_not_shown(cells, tmp_path, kind):
    path = tmp_path / "reference.h5ad"
    cells.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        del file["X"]
        if kind == "link":
            file["X"] = h5py.ExternalLink("/etc/passwd", "/X")
        elif kind == "storage":
            file.create_dataset("X", shape=(10,), dtype="S1", external=[("/etc/passwd", 0, 10)])
        else:
            layout = h5py.VirtualLayout(shape=(2, 2), dtype="f8")
            layout[:] = h5py.VirtualSource("/elsewhere.h5", "X", shape=(2, 2))
            file.create_virtual_dataset("X", layout)
    with pytest.raises(FileFormatError, match="is in another file"):
        read_reference(path)
