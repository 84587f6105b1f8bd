"""References read by blocks are what `read_reference` reads at once."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData

import hpvade
from hpvade._errors import CountsError, FileFormatError, LabelError
from hpvade._warnings import DataWarning
from hpvade.io import n_cells_of, open_reference, read_reference


@pytest.fixture
def reference():
    return hpvade.testing.tiny_reference()


def whole(file, size=13):
    return sp.vstack([counts for _, counts in file.blocks(size)]).toarray()


@pytest.mark.parametrize("place", ["layers['counts']", "X", "raw.X", "layers['umi']"])
@pytest.mark.parametrize("kind", ["h5ad", "zarr", "dense"])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_counts_wherever_they_are(reference, tmp_path, place, kind):
    counts = reference.layers.pop("counts")
    counts = counts.toarray() if kind == "dense" else counts
    log = np.log1p(np.asarray(counts.todense() if sp.issparse(counts) else counts)) / 3
    stored = AnnData(log, obs=reference.obs, var=reference.var)
    if place == "raw.X":
        stored.raw = AnnData(counts, obs=reference.obs, var=reference.var)
    elif place == "X":
        stored.X = counts
    else:
        stored.layers[place.split("'")[1]] = counts
    path = tmp_path / ("cells.zarr" if kind == "zarr" else "cells.h5ad")
    with anndata.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
        stored.write_zarr(path) if kind == "zarr" else stored.write_h5ad(path)
    expected = read_reference(path, donor_key="donor")
    with open_reference(path, donor_key="donor") as file:
        assert file.counts_found_in == place
        assert file.n_obs == n_cells_of(path) == reference.n_obs
        np.testing.assert_array_equal(whole(file), expected.layers["counts"].toarray())
        np.testing.assert_array_equal(file.block(5, 8).toarray(), expected.layers["counts"][5:8].toarray())
        assert file.obs["cell_type"].equals(expected.obs["cell_type"])
        assert list(file.var.index) == list(expected.var_names)


def test_repeated_genes_are_summed(reference, tmp_path):
    reference.var_names = ["same", "same", *reference.var_names[2:]]
    reference.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.warns(DataWarning, match="1 gene names occur more than once"):
        expected = read_reference(tmp_path / "cells.h5ad")
    with (
        pytest.warns(DataWarning, match="1 gene names occur more than once"),
        open_reference(tmp_path / "cells.h5ad") as file,
    ):
        np.testing.assert_array_equal(whole(file), expected.layers["counts"].toarray())


def test_a_value_that_is_no_count_is_found_late(reference, tmp_path, monkeypatch):
    monkeypatch.setattr("hpvade.io._reference_file._LOOKED_AT", 10)
    counts = reference.layers["counts"].tolil()
    counts[100, 3] = 1.5
    reference.layers["counts"] = counts.tocsr()
    reference.write_h5ad(tmp_path / "cells.h5ad")
    with open_reference(tmp_path / "cells.h5ad") as file:
        file.block(0, 100)
        with pytest.raises(
            CountsError, match=r"layers\['counts'\] holds counts in its first cells, but then"
        ):
            file.block(100, 120)


def test_counts_by_genes_and_what_is_no_reference(reference, tmp_path):
    with pytest.raises(LabelError, match="'celltype'"), _opened(reference, tmp_path, labels_key="celltype"):
        pass
    with (
        pytest.raises(CountsError, match=r"layer='counst' is not in"),
        _opened(reference, tmp_path, layer="counst"),
    ):
        pass
    reference.layers["counts"] = sp.csc_matrix(reference.layers["counts"])
    with (
        pytest.raises(FileFormatError, match=r"by genes \(CSC\).* --max-cells 120"),
        _opened(reference, tmp_path),
    ):
        pass
    (tmp_path / "text.h5ad").write_text("cells")
    for name, message in (("text.h5ad", "cannot be read as an h5ad"), ("none.h5ad", "does not exist")):
        with pytest.raises(FileFormatError, match=message), open_reference(tmp_path / name):
            pass
        with pytest.raises(FileFormatError, match=message):
            n_cells_of(tmp_path / name)


def _opened(reference, folder, **options):
    reference.write_h5ad(folder / "cells.h5ad")
    return open_reference(folder / "cells.h5ad", **options)
