"""Answers at every level of a hierarchy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import hpvade
from hpvade._errors import InputError
from hpvade.nn import proportion_loss
from hpvade.pp import cpm_to_log

GROUP = {"A": "left", "B": "left", "C": "right", "D": "right"}


@pytest.fixture(scope="module")
def model_and_bulk():
    cells = hpvade.testing.tiny_reference(n_cells=50, n_genes=300, cell_types=tuple(GROUP), seed=2)
    cells.obs["side"] = cells.obs["cell_type"].astype(str).map(GROUP)
    cells.obs["all"] = "everything"
    hpvade.HPVADE.setup_anndata(cells, levels=["all", "side"])
    model = hpvade.HPVADE(cells, preset="fast", config={"train": {"max_epochs": 3}})
    model.train()
    return model, hpvade.testing.tiny_bulk(cells)


def test_every_level_adds_up(model_and_bulk):
    model, bulk = model_and_bulk
    answer = model.deconvolve(bulk)
    assert list(answer.levels) == ["all", "side"]
    np.testing.assert_allclose(answer.levels["all"].fractions["everything"], 1, atol=1e-9)
    side = answer.levels["side"]
    np.testing.assert_allclose(side.fractions["left"], answer.fractions[["A", "B"]].sum(1), atol=1e-9)
    for level in answer.levels.values():
        assert (level.lower <= level.fractions).all(axis=None)
        assert (level.fractions <= level.upper).all(axis=None)
    width, of_types = side.upper["left"] - side.lower["left"], answer.upper - answer.lower
    assert (width <= of_types[["A", "B"]].sum(1) + 0.05).all()
    pd.testing.assert_frame_equal(bulk.obsm["fractions_side"], side.fractions)
    pd.testing.assert_frame_equal(bulk.obsm["fractions_side_upper"], side.upper)
    assert set(answer.qc["trusted_level"]) <= {"", "all", "side", "cell_type"}
    assert (answer.qc["trusted_level"] != "").all()


def test_slots_of_an_earlier_model_go_and_those_of_others_stay(model_and_bulk):
    model, bulk = model_and_bulk
    table = bulk.copy()
    table.obsm["fractions_of_mine"] = table.obsm["fractions"]
    model.deconvolve(table)
    assert "fractions_side" in table.obsm
    cells = hpvade.testing.tiny_reference(n_cells=50, n_genes=300, cell_types=tuple(GROUP), seed=2)
    hpvade.HPVADE.setup_anndata(cells)
    plain = hpvade.HPVADE(cells, preset="fast", config={"train": {"max_epochs": 1}})
    plain.train()
    plain.deconvolve(table)
    assert {name for name in table.obsm if name.startswith("fractions_")} == {
        "fractions_of_mine", "fractions_lower", "fractions_upper",
    }  # fmt: skip


def test_unknown_content_scales_every_level(model_and_bulk):
    model, bulk = model_and_bulk
    answer = model.deconvolve(bulk.copy())
    answer.qc[["unknown", "unknown_lower", "unknown_upper"]] = [0.2, 0.1, 0.4]
    share = np.full(bulk.n_obs, 0.3)
    scaled = answer.with_unknown(share)
    for table in answer.levels["side"]:
        table.rename(columns={"left": "unknown"}, inplace=True)
    with pytest.raises(InputError, match="named 'unknown'"):
        answer.with_unknown(share)
    assert scaled.levels["side"].fractions["unknown"].tolist() == [0.2] * bulk.n_obs
    assert scaled.rna_fractions["unknown"].tolist() == [0.3] * bulk.n_obs
    np.testing.assert_allclose(scaled.levels["side"].fractions.sum(1), 1)


def test_the_levels_survive_saving(model_and_bulk, tmp_path):
    model, bulk = model_and_bulk
    model.save(tmp_path / "model")
    again = hpvade.HPVADE.load(tmp_path / "model").deconvolve(bulk.copy())
    first = model.deconvolve(bulk.copy())
    for name, level in first.levels.items():
        for table, loaded in zip(level, again.levels[name], strict=True):
            pd.testing.assert_frame_equal(table, loaded)


def test_training_goes_on_with_the_same_levels_only(model_and_bulk, tmp_path):
    model, _ = model_and_bulk
    model.save(tmp_path / "model")
    cells = hpvade.testing.tiny_reference(n_cells=50, n_genes=300, cell_types=tuple(GROUP), seed=2)
    cells.obs["side"] = cells.obs["cell_type"].astype(str).map(GROUP | {"B": "right"})
    cells.obs["all"] = "everything"
    hpvade.HPVADE.setup_anndata(cells, levels=["all", "side"])
    with pytest.raises(InputError, match="other levels"):
        hpvade.HPVADE.load(tmp_path / "model", reference=cells)
    cells.obs["side"] = cells.obs["cell_type"].astype(str).map(GROUP)
    assert hpvade.HPVADE.load(tmp_path / "model", reference=cells).train(max_epochs=1)


def test_expression_follows_the_names_of_the_fractions(model_and_bulk):
    model, bulk = model_and_bulk
    fractions = model.deconvolve(bulk.copy()).fractions
    fractions.iloc[0] = [0, 0.2, 0.8, 0]
    first = model.expression(bulk, fractions)
    turned = model.expression(bulk, fractions.iloc[::-1, ::-1])
    np.testing.assert_array_equal(first.layers["counts"], turned.layers["counts"])
    assert np.isfinite(first.layers["cpm"]).all()
    np.testing.assert_allclose(first.layers["cpm"].sum(1)[:4], 1e6, rtol=0.5)
    with pytest.raises(InputError, match="'D' is missing from the fractions"):
        model.expression(bulk, fractions.drop(columns="D"))


def test_the_prototype_of_a_group_is_the_mixture_of_its_types(model_and_bulk):
    model, _ = model_and_bulk
    signature = model.trained.network.signature
    found = signature.prototypes(model.trained.network.membership).detach()
    cpm, content = signature.cpm().detach(), signature.rna_content
    left = (cpm[:, :2] * content[:2]).sum(1) / content[:2].sum()
    torch.testing.assert_close(found[2, 0], cpm_to_log(left), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[2, 0], found[2, 1])
    torch.testing.assert_close(found[0], cpm_to_log(cpm.T))


def test_the_loss_of_a_level_ignores_how_a_group_is_parted(model_and_bulk):
    model, _ = model_and_bulk
    level = model.trained.network.membership[1]
    truth = torch.tensor([[0.4, 0.2, 0.3, 0.1]])
    same_sides = torch.tensor([[0.1, 0.5, 0.1, 0.3]])
    assert proportion_loss(same_sides @ level, truth @ level).item() == pytest.approx(0, abs=1e-6)
    assert proportion_loss(same_sides, truth).item() > 0.01
