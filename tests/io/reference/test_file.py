"""References: where counts are found, what is refused, and blocks that are parts of the whole."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import hpvade
from hpvade._errors import CountsError, FileFormatError, LabelError
from hpvade._warnings import DataWarning
from hpvade.io import count_cells, open_reference, read_reference

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = np.array([[0, 3, 1, 0], [2, 0, 0, 5], [1, 1, 7, 0]], dtype=np.float32)
LOGGED = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)


def make(x=COUNTS, *, layers=None, var_names=("CD3E", "CD19", "ACTB", "LYZ"), **obs):
    obs = {"cell_type": ["T", "B", "Mono"], "donor": ["d1", "d2", "d1"], **obs}
    return AnnData(
        X=None if x is None else sparse.csr_matrix(x),
        obs=pd.DataFrame(obs, index=["c0", "c1", "c2"]),
        var=pd.DataFrame(index=list(var_names)),
        layers=layers,
    )


@pytest.fixture
def saved(tmp_path):
    def save(adata: AnnData, name: str = "reference.h5ad") -> Path:
        adata.write_h5ad(tmp_path / name)
        return tmp_path / name

    return save


def counts_of(reference: AnnData) -> np.ndarray:
    counts = reference.layers["counts"]
    assert counts.format == "csr"
    assert counts.dtype == np.float32
    return counts.toarray()


@pytest.mark.parametrize("matrix", [COUNTS, sparse.csr_matrix(COUNTS), sparse.csc_matrix(COUNTS.astype(int))])
@pytest.mark.parametrize("place", ["X", "layers['counts']", "layers['umi']", "raw.X"])
def test_finds_counts_wherever_they_are(saved, matrix, place):
    adata = make(LOGGED)
    if place == "X":
        adata.X = matrix
    elif place == "raw.X":
        adata.raw = AnnData(matrix, obs=adata.obs, var=adata.var)
    else:
        adata.layers[place[8:-2]] = matrix
    reference = read_reference(saved(adata), donor_key="donor")
    np.testing.assert_array_equal(counts_of(reference), COUNTS)
    assert reference.uns["hpvade"]["counts_found_in"] == place
    assert list(reference.obs["cell_type"]) == ["T", "B", "Mono"]
    assert list(reference.obs["donor"].cat.categories) == ["d1", "d2"]


def test_counts_layer_goes_before_x_and_x_is_left_alone(saved):
    other = COUNTS + 1
    reference = read_reference(saved(make(other, layers={"counts": sparse.csr_matrix(COUNTS)})))
    np.testing.assert_array_equal(counts_of(reference), COUNTS)
    np.testing.assert_array_equal(reference.X.toarray(), other)


def test_layer_option_decides(saved):
    path = saved(make(COUNTS, layers={"counts": COUNTS, "spliced": COUNTS * 2}))
    reference = read_reference(path, layer="spliced")
    np.testing.assert_array_equal(counts_of(reference), COUNTS * 2)
    assert read_reference(path, layer="X").uns["hpvade"]["counts_found_in"] == "X"
    with pytest.raises(CountsError, match=r"layer='splice' is not in .*Did you mean 'spliced'"):
        read_reference(path, layer="splice")


def test_layer_option_does_not_search_elsewhere(saved):
    with pytest.raises(CountsError, match="not whole numbers"):
        read_reference(saved(make(LOGGED, layers={"counts": COUNTS})), layer="X")


def test_x_and_counts_never_share_memory(saved):
    reference = read_reference(saved(make()))
    reference.layers["counts"].data[:] = 99
    np.testing.assert_array_equal(reference.X.toarray(), COUNTS)


def test_raw_with_other_genes_brings_its_genes(saved):
    adata = make()
    adata.raw = adata.copy()
    adata = adata[:, ["CD19", "LYZ"]].copy()
    adata.X = sparse.csr_matrix(LOGGED[:, [1, 3]])
    reference = read_reference(saved(adata))
    assert list(reference.var_names) == ["CD3E", "CD19", "ACTB", "LYZ"]
    np.testing.assert_array_equal(counts_of(reference), COUNTS)
    np.testing.assert_array_equal(reference.X.toarray(), COUNTS)
    assert not np.shares_memory(reference.X.data, reference.layers["counts"].data)


def test_no_counts_anywhere_reports_every_matrix(saved):
    adata = make(LOGGED, layers={"binary": (COUNTS > 0).astype(np.float32), "scaled": LOGGED - 1})
    with pytest.raises(CountsError) as caught:
        read_reference(saved(adata))
    text = str(caught.value)
    assert f"X: 0 … {LOGGED.max():.4g}, not whole numbers (looks log-normalised)" in text
    assert "layers['binary']: 0 … 1, no value above 1" in text
    assert "layers['scaled']: -1 … " in text
    assert "negative value -1.0 in cell 'c0', gene 'CD3E'" in text
    assert "--layer" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
def test_bad_value_names_cell_and_gene(saved, value, container):
    damaged = COUNTS.copy()
    damaged[1, 3] = value
    adata = make()
    adata.X = container(damaged)
    with pytest.raises(CountsError, match=rf"{value} in cell 'c1', gene 'LYZ'"):
        read_reference(saved(adata))


def test_an_unusable_counts_layer_is_reported(saved):
    damaged = COUNTS.copy()
    damaged[0, 1] = np.nan
    with pytest.warns(
        DataWarning,
        match=r"layers\['counts'\] does not contain counts .*'c0', gene 'CD19'.*X was used",
    ):
        reference = read_reference(saved(make(layers={"counts": sparse.csr_matrix(damaged)})))
    np.testing.assert_array_equal(counts_of(reference), COUNTS)


def test_missing_labels_key_suggests_the_nearest(saved):
    with pytest.raises(LabelError, match=r"Columns: cell_type, donor\. Did you mean 'cell_type'\?"):
        read_reference(saved(make()), labels_key="celltype")
    with pytest.raises(LabelError, match=r"donor_key='donr'.*Did you mean 'donor'"):
        read_reference(saved(make()), donor_key="donr")


def test_missing_labels_stay_and_are_nan(saved):
    reference = read_reference(saved(make(cell_type=["T", "", "nan"], cluster=[0, 1, 1])))
    assert list(reference.obs["cell_type"].isna()) == [False, True, True]
    assert list(reference.obs["cell_type"].cat.categories) == ["T"]


def test_numeric_labels_become_strings(saved):
    reference = read_reference(saved(make(cluster=[0, 1, 1])), labels_key="cluster")
    assert list(reference.obs["cluster"]) == ["0", "1", "1"]


def test_repeated_genes_are_summed_and_reported(saved):
    with pytest.warns(UserWarning, match="names are not unique"):
        path = saved(make(var_names=["CD3E", "CD19", "CD3E", "LYZ"]))
    with pytest.warns(DataWarning, match=r"1 gene name occurs more than once \(for instance 'CD3E'\)"):
        reference = read_reference(path)
    assert list(reference.var_names) == ["CD3E", "CD19", "LYZ"]
    np.testing.assert_array_equal(counts_of(reference), [[1, 3, 0], [2, 0, 5], [8, 1, 0]])


def test_repeated_cells_become_unique(saved):
    adata = make()
    adata.obs_names = ["c", "c", "c-1"]
    reference = read_reference(saved(adata))
    assert reference.obs_names.is_unique
    np.testing.assert_array_equal(counts_of(reference), COUNTS)


def test_dense_x_in_many_blocks(saved, monkeypatch):
    monkeypatch.setattr("hpvade.io.reference._counts._BLOCK_VALUES", 5)  # one row of four genes at a time
    adata = make()
    adata.X = COUNTS
    np.testing.assert_array_equal(counts_of(read_reference(saved(adata))), COUNTS)


def test_peak_memory_is_a_small_multiple_of_the_sparse_matrix(saved):
    rng = np.random.default_rng(0)
    n_cells, n_genes, n_counts = 3000, 20_000, 200_000
    where = (rng.integers(n_cells, size=n_counts), rng.integers(n_genes, size=n_counts))
    counts = sparse.csr_matrix((np.full(n_counts, 2.0, np.float32), where), shape=(n_cells, n_genes))
    path = saved(AnnData(counts, obs=pd.DataFrame({"cell_type": "T"}, [f"c{i}" for i in range(n_cells)])))
    tracemalloc.start()
    read_reference(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sparse_size = counts.data.nbytes + counts.indices.nbytes + counts.indptr.nbytes
    assert peak < 10 * sparse_size  # the dense matrix is 150 times as large


def test_missing_file():
    with pytest.raises(FileFormatError, match=r"nowhere\.h5ad does not exist; expected a single-cell"):
        read_reference("nowhere.h5ad")


@pytest.mark.parametrize("kept", [100, 0.5])
def test_truncated_h5ad(saved, kept):
    path = saved(make())
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(
        FileFormatError, match=r"reference\.h5ad cannot be read as a single-cell reference .*truncated"
    ):
        read_reference(path)


def test_empty_file(tmp_path):
    (tmp_path / "reference.h5ad").touch()
    with pytest.raises(FileFormatError, match="is an empty file, not a single-cell reference"):
        read_reference(tmp_path / "reference.h5ad")


def test_text_file_is_not_a_reference(tmp_path):
    (tmp_path / "table.h5ad").write_text("gene\ts1\nCD3E\t1\n")
    with pytest.raises(FileFormatError, match=r"table\.h5ad is a text file, not a single-cell reference"):
        read_reference(tmp_path / "table.h5ad")


def test_hdf5_that_is_not_anndata(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["something"] = [1, 2, 3]
    with pytest.raises(FileFormatError, match=r"other\.h5ad"):
        read_reference(tmp_path / "other.h5ad")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:Writing zarr v2", "ignore:Consolidated metadata")
def test_zarr(tmp_path, version):
    with ad.settings.override(zarr_write_format=version, auto_shard_zarr_v3=False):
        make().write_zarr(tmp_path / "reference.zarr")
    np.testing.assert_array_equal(counts_of(read_reference(tmp_path / "reference.zarr")), COUNTS)


def test_broken_zarr(tmp_path):
    (tmp_path / "reference.zarr").mkdir()
    (tmp_path / "reference.zarr" / "zarr.json").write_text(json.dumps({"zarr_format": 3}))
    with pytest.raises(FileFormatError, match=r"reference\.zarr is not an AnnData file: it holds nothing"):
        read_reference(tmp_path / "reference.zarr")


def test_result_can_be_written_and_read_again(saved):
    first = read_reference(saved(make()), donor_key="donor")
    again = read_reference(saved(first, "again.h5ad"), donor_key="donor")
    np.testing.assert_array_equal(counts_of(again), COUNTS)
    assert list(again.obs["cell_type"]) == list(first.obs["cell_type"])


@pytest.mark.parametrize("name", ["pbmc_hao", "pancreas_baron"])
def test_shared_references(shared_data, name):
    path = next((shared_data / "reference" / name).glob("*.h5ad"))
    reference = read_reference(path)
    expected = ad.read_h5ad(path).layers["counts"]
    assert (reference.layers["counts"] != expected).nnz == 0


# reading by blocks


@pytest.fixture
def reference():
    return hpvade.testing.tiny_reference()


def whole(file, size=13):
    return sparse.vstack([counts for _, counts in file.blocks(size)]).toarray()


@pytest.mark.parametrize("place", ["layers['counts']", "X", "raw.X", "layers['umi']"])
@pytest.mark.parametrize("kind", ["h5ad", "zarr", "dense"])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_blocks_find_counts_wherever_they_are(reference, tmp_path, place, kind):
    counts = reference.layers.pop("counts")
    counts = counts.toarray() if kind == "dense" else counts
    log = np.log1p(np.asarray(counts.todense() if sparse.issparse(counts) else counts)) / 3
    stored = AnnData(log, obs=reference.obs, var=reference.var)
    if place == "raw.X":
        stored.raw = AnnData(counts, obs=reference.obs, var=reference.var)
    elif place == "X":
        stored.X = counts
    else:
        stored.layers[place.split("'")[1]] = counts
    path = tmp_path / ("cells.zarr" if kind == "zarr" else "cells.h5ad")
    with ad.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
        stored.write_zarr(path) if kind == "zarr" else stored.write_h5ad(path)
    expected = read_reference(path, donor_key="donor")
    with open_reference(path, donor_key="donor") as file:
        assert file.counts_found_in == place
        assert file.n_obs == count_cells(path) == reference.n_obs
        np.testing.assert_array_equal(whole(file), expected.layers["counts"].toarray())
        np.testing.assert_array_equal(file.block(5, 8).toarray(), expected.layers["counts"][5:8].toarray())
        assert file.obs["cell_type"].equals(expected.obs["cell_type"])
        assert list(file.var.index) == list(expected.var_names)


def test_repeated_genes_are_summed_in_blocks(reference, tmp_path):
    reference.var_names = ["same", "same", *reference.var_names[2:]]
    reference.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.warns(DataWarning, match="1 gene name occurs more than once"):
        expected = read_reference(tmp_path / "cells.h5ad")
    with (
        pytest.warns(DataWarning, match="1 gene name occurs more than once"),
        open_reference(tmp_path / "cells.h5ad") as file,
    ):
        np.testing.assert_array_equal(whole(file), expected.layers["counts"].toarray())


def test_a_value_in_a_later_block_that_is_not_a_count(reference, tmp_path, monkeypatch):
    monkeypatch.setattr("hpvade.io.reference._file._EXAMINED_CELLS", 10)
    counts = reference.layers["counts"].tolil()
    counts[100, 3] = 1.5
    reference.layers["counts"] = counts.tocsr()
    reference.write_h5ad(tmp_path / "cells.h5ad")
    with open_reference(tmp_path / "cells.h5ad") as file:
        file.block(0, 100)
        with pytest.raises(
            CountsError, match=r"layers\['counts'\] contains counts in its first cells but not in later ones"
        ):
            file.block(100, 120)


def test_counts_by_genes_and_files_that_are_not_references(reference, tmp_path):
    with pytest.raises(LabelError, match="'celltype'"), _opened(reference, tmp_path, labels_key="celltype"):
        pass
    with (
        pytest.raises(CountsError, match=r"layer='counst' is not in"),
        _opened(reference, tmp_path, layer="counst"),
    ):
        pass
    reference.layers["counts"] = sparse.csc_matrix(reference.layers["counts"])
    with (
        pytest.raises(FileFormatError, match=r"by gene \(CSC\).* --max-cells 120"),
        _opened(reference, tmp_path),
    ):
        pass
    (tmp_path / "text.h5ad").write_text("cells")
    for name, message in (("text.h5ad", "is a text file"), ("none.h5ad", "does not exist")):
        with pytest.raises(FileFormatError, match=message), open_reference(tmp_path / name):
            pass
        with pytest.raises(FileFormatError, match=message):
            count_cells(tmp_path / name)


def _opened(reference, folder, **options):
    reference.write_h5ad(folder / "cells.h5ad")
    return open_reference(folder / "cells.h5ad", **options)
