"""The functions that scverse users expect do what the model does, and leave other slots alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import HPVADEError, InputError


@pytest.fixture
def bulk(trained):
    return trained[1].copy()


def test_fractions_are_those_of_the_model(trained, bulk):
    model, _ = trained
    truth = bulk.obsm["fractions"].copy()
    assert hpvade.tl.deconvolve(bulk, model, coverage=0.5) is None
    expected = model.deconvolve(bulk.copy(), coverage=0.5)
    pd.testing.assert_frame_equal(bulk.obsm["hpvade_fractions"], expected.fractions)
    pd.testing.assert_frame_equal(bulk.obsm["hpvade_fractions_lower"], expected.lower)
    pd.testing.assert_frame_equal(bulk.obsm["hpvade_fractions_upper"], expected.upper)
    pd.testing.assert_frame_equal(bulk.obsm["hpvade_rna_fractions"], expected.rna_fractions)
    assert list(bulk.obs["hpvade_flags"]) == list(expected.qc["flags"])
    pd.testing.assert_frame_equal(bulk.obsm["fractions"], truth)  # a slot of the user


def test_a_copy_leaves_the_samples_as_they_are(trained, bulk):
    model, _ = trained
    before = set(bulk.obsm), set(bulk.obs), set(bulk.uns)
    copy = hpvade.tl.deconvolve(bulk, model.trained, key_added="first", copy=True)
    assert (set(bulk.obsm), set(bulk.obs), set(bulk.uns)) == before
    assert {"first_fractions", "first_rna_fractions"} <= set(copy.obsm)
    assert copy.uns["first"]["model"] == model.settings


def test_a_folder_is_a_model_too(trained, bulk, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model")
    hpvade.tl.deconvolve(bulk, tmp_path / "model")
    np.testing.assert_allclose(bulk.obsm["hpvade_fractions"], model.deconvolve(bulk.copy()).fractions)


def test_results_survive_a_file(trained, bulk, tmp_path):
    hpvade.tl.deconvolve(bulk, trained[0])
    bulk.write_h5ad(tmp_path / "bulk.h5ad")


def test_sums_of_types_have_intervals(trained, bulk):
    model, _ = trained
    hpvade.tl.deconvolve(bulk, model)
    hpvade.tl.sum_types(bulk, model, {"lymphoid": ["B", "T"], "all": ["B", "Monocyte", "T"]})
    sums = bulk.obsm["hpvade_sums"]
    np.testing.assert_allclose(sums["lymphoid"], bulk.obsm["hpvade_fractions"][["B", "T"]].sum(axis=1))
    np.testing.assert_allclose(sums["all"], 1)
    assert (bulk.obsm["hpvade_sums_lower"] <= sums).all(axis=None)
    assert (sums <= bulk.obsm["hpvade_sums_upper"]).all(axis=None)


def test_sums_need_fractions(trained, bulk):
    with pytest.raises(InputError, match=r"Call hpvade\.tl\.deconvolve with key_added='other' first"):
        hpvade.tl.sum_types(bulk, trained[0], {"all": ["B"]}, key_added="other")


def test_sums_with_another_model_are_refused(trained, bulk):
    model, _ = trained
    hpvade.tl.deconvolve(bulk, model)
    bulk.obsm["hpvade_fractions"] = bulk.obsm["hpvade_fractions"].set_axis(["B", "NK", "T"], axis=1)
    with pytest.raises(InputError, match="has other cell types than the model"):
        hpvade.tl.sum_types(bulk, model, {"all": ["B"]})


def test_expression_uses_the_fractions_that_are_there(trained, bulk):
    model, _ = trained
    estimated = hpvade.tl.expression(bulk, model)
    hpvade.tl.deconvolve(bulk, model)
    np.testing.assert_array_equal(
        hpvade.tl.expression(bulk, model).layers["counts"], estimated.layers["counts"]
    )
    bulk.obsm["hpvade_fractions"] = bulk.obsm["hpvade_fractions"].iloc[:, ::-1] * 0 + 1 / 3
    other = hpvade.tl.expression(bulk, model)
    assert not np.allclose(other.layers["counts"], estimated.layers["counts"])


def test_cells_are_located_as_by_the_model(trained):
    model, _ = trained
    cells = hpvade.testing.tiny_reference(n_cells=60, n_genes=300, seed=1)
    hpvade.tl.latent(cells, model)
    expected = model.latent(cells)
    np.testing.assert_array_equal(cells.obsm["hpvade_latent"], expected.cells)
    pd.testing.assert_frame_equal(cells.uns["hpvade_prototypes"], expected.prototypes)


def test_a_model_before_training_is_refused(reference, bulk):
    with pytest.raises(HPVADEError, match="not trained yet"):
        hpvade.tl.deconvolve(bulk, hpvade.HPVADE(reference, preset="fast"))
