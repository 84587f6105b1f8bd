"""A Dask cluster reads the same pool and the same sums from a reference."""

from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import CountsError, InputError
from hpvade.io import open_reference
from hpvade.jobs import ReferenceOptions, load_references
from hpvade.jobs._references import _dask_client as dask_client
from hpvade.pp import pool_reference

dask = pytest.importorskip("dask", reason="Dask is an extra")
distributed = pytest.importorskip("distributed", reason="Dask is an extra")


@pytest.fixture(scope="module")
def cluster():
    # Dask gives up after 30 s by default, which a loaded machine may need to start two interpreters.
    patience = {"distributed.comm.timeouts.connect": "300s", "distributed.comm.timeouts.tcp": "300s"}
    with (
        dask.config.set(patience),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def stored(tmp_path):
    reference = hpvade.testing.tiny_reference()
    reference.write_h5ad(tmp_path / "cells.h5ad")
    return reference, tmp_path / "cells.h5ad"


def load(path, **options):
    return load_references([path], options=ReferenceOptions(donor_key="donor", max_cells=60, **options))


@pytest.mark.parametrize("how", ["by its address", "the active one"])
def test_the_same_pool_and_sums(stored, cluster, how):
    expected = load(stored[1])
    assert expected.n_obs < stored[0].n_obs
    if how == "by its address":
        found = load(stored[1], dask=cluster.scheduler_address)
    else:
        with distributed.Client(cluster):
            found = load(stored[1])
    assert list(found.obs_names) == list(expected.obs_names)
    np.testing.assert_array_equal(found.layers["counts"].toarray(), expected.layers["counts"].toarray())
    np.testing.assert_array_equal(found.varm["hpvade_sums"], expected.varm["hpvade_sums"])


def test_both_workers_read_it(stored, cluster, monkeypatch):
    with distributed.Client(cluster) as client, open_reference(stored[1]) as file:
        spread, held = client.map, []

        def spy(function, parts, **options):
            futures = spread(function, parts, **options)
            distributed.wait(futures)
            held.extend(worker for workers in client.who_has(futures).values() for worker in workers)
            return futures

        monkeypatch.setattr(client, "map", spy)
        pool_reference(file, labels_key="cell_type", max_cells=60, client=client)
    assert len(set(held)) == 2


def test_a_bad_count_gives_the_same_error_as_without_a_cluster(stored, cluster, monkeypatch):
    monkeypatch.setattr("hpvade.io.reference._file._EXAMINED_CELLS", 10)
    reference, path = stored
    counts = reference.layers["counts"].tolil()
    counts[100, 3] = 1.5
    reference.layers["counts"] = counts.tocsr()
    reference.write_h5ad(path)
    with distributed.Client(cluster) as client, open_reference(path) as file:
        bad = {"labels_key": "cell_type", "max_cells": 60}
        for options in ({}, {"client": client}):
            with pytest.raises(
                CountsError, match=r"later ones \(0 … \d+, not whole numbers\)\. Fix the file"
            ):
                pool_reference(file, **bad, **options)


def test_the_scheduler_file_does_not_exist(tmp_path):
    with pytest.raises(InputError, match="does not exist"), dask_client(str(tmp_path / "scheduler.json")):
        pass


def test_no_scheduler_answers(monkeypatch):
    monkeypatch.setattr("hpvade.jobs._references._PATIENCE", "1s")
    with (
        pytest.raises(InputError, match=r"No Dask scheduler responds at tcp://127\.0\.0\.1:9"),
        dask_client("tcp://127.0.0.1:9"),
    ):
        pass
