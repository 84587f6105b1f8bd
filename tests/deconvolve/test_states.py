"""The states of a type in the fit of a trained model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData

import hpvade
from hpvade.deconvolve import Calibration
from hpvade.pp import CellStates
from hpvade.pp._spaces import PROFILE_FLOOR


@pytest.fixture
def fitted(trained):
    """Fractions of a bulk table with some states; the network's answer counts for nothing."""
    model, bulk = trained
    config = model.config.deconvolve.model_copy(update={"prior_strength": 1e-6})

    def fractions(states, table=bulk):
        answer = hpvade.model._deconvolver.deconvolve(
            model.network,
            table,
            signature=model.reference_signature,
            states=states,
            hierarchy=model.hierarchy,
            calibration=Calibration(np.ones((20, len(model.cell_types)))),
            config=config,
        )
        return answer.fractions

    return fractions


def one_state(model):
    n_genes, n_types = model.reference_signature.model_genes.cpm.shape
    return CellStates(np.arange(n_types), np.zeros((n_genes, n_types)))


def test_a_trained_model_has_states(trained):
    model, _ = trained
    states = model.states
    assert np.bincount(states.cell_type).max() == 2
    assert np.abs(states.log_change).max() > 0.1


def test_they_survive_saving(trained, tmp_path):
    model, bulk = trained
    model.save(tmp_path / "model")
    loaded = hpvade.HPVADE.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.states.cell_type, model.states.cell_type)
    np.testing.assert_array_equal(loaded.states.log_change, model.states.log_change)
    pd.testing.assert_frame_equal(
        loaded.deconvolve(bulk.copy()).fractions, model.deconvolve(bulk.copy()).fractions
    )


def test_states_that_are_all_alike_change_nothing(trained, fitted):
    model, _ = trained
    n_genes, n_types = model.reference_signature.model_genes.cpm.shape
    copies = CellStates(np.repeat(np.arange(n_types), 3), np.zeros((n_genes, 3 * n_types)))
    pd.testing.assert_frame_equal(fitted(copies), fitted(one_state(model)), atol=1e-4, rtol=0)


def test_a_sample_of_one_state_only_is_answered_right(trained, fitted):
    """All B cells of the sample are in a state halfway to monocytes."""
    model, _ = trained
    genes = pd.Index(model.reference_signature.model_genes.genes)
    cpm = model.network.signature.cpm().detach().double().numpy()
    log = np.log(cpm + PROFILE_FLOOR)
    change = np.zeros((len(genes), 4))
    change[:, 1] = (log[:, 1] - log[:, 0]) / 2
    states = CellStates(np.array([0, 0, 1, 2]), change)
    profile = np.maximum((cpm[:, 0] + PROFILE_FLOOR) * np.exp(change[:, 1]) - PROFILE_FLOOR, 0)
    profile *= 1e6 / profile.sum()
    content = model.network.signature.rna_content.double().numpy()
    truth = np.array([0.6, 0.1, 0.3])
    weight = truth * content / (truth @ content)
    sample = weight[0] * profile + cpm[:, 1:] @ weight[1:]
    bulk = AnnData(sample[None], obs=pd.DataFrame(index=["s"]), var=pd.DataFrame(index=genes))
    with_states = fitted(states, bulk).to_numpy()[0]
    without = fitted(one_state(model), bulk).to_numpy()[0]
    np.testing.assert_allclose(with_states, truth, atol=0.02)
    assert np.abs(without - truth).max() > 0.05


def test_a_signature_that_is_not_finite_is_refused():
    signature = torch.tensor([[1.0, torch.nan], [2.0, 1.0], [3.0, 1.0]], dtype=torch.float64)
    with pytest.raises(ValueError, match="not finite"):
        hpvade.deconvolve.FractionFit(
            signature,
            rna_content=torch.ones(2, dtype=torch.float64),
            trust=torch.ones(3, dtype=torch.float64),
            prior_strength=1.0,
            noise_floor=25.0,
            outlier=2.0,
        )
