"""States of the cell types in the fit of a trained model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import hpvade
from hpvade.deconvolve import Estimator, FractionFit
from hpvade.pp import CellStates, counts_to_cpm
from hpvade.pp._spaces import PROFILE_FLOOR


@pytest.fixture
def fitted(trained):
    """Fractions of samples with given states, with practically no prior from the network."""
    model, bulk = trained
    genes = list(model.reference_signature.model_genes.genes)
    config = model.config.deconvolve.model_copy(update={"prior_strength": 1e-6})

    def fractions(states, linear=bulk[:, genes].X):
        estimator = Estimator(
            model.trained.network,
            measured=np.ones(len(genes), dtype=bool),
            states=states,
            content_sd=model.reference_signature.content_sd,
            config=config,
        )
        return estimator(counts_to_cpm(np.asarray(linear, dtype=np.float64))).fractions

    return fractions


def one_state(model):
    n_genes, n_types = model.reference_signature.model_genes.cpm.shape
    return CellStates(np.arange(n_types), np.zeros((n_genes, n_types)))


def test_a_trained_model_has_states(trained):
    model, _ = trained
    states = model.trained.states
    assert np.bincount(states.cell_type).max() == 2
    assert np.abs(states.log_change).max() > 0.1


def test_states_survive_saving(trained, tmp_path):
    model, bulk = trained
    model.save(tmp_path / "model")
    loaded = hpvade.HPVADE.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.trained.states.cell_type, model.trained.states.cell_type)
    np.testing.assert_array_equal(loaded.trained.states.log_change, model.trained.states.log_change)
    pd.testing.assert_frame_equal(
        loaded.deconvolve(bulk.copy()).fractions, model.deconvolve(bulk.copy()).fractions
    )


def test_identical_states_change_nothing(trained, fitted):
    model, _ = trained
    n_genes, n_types = model.reference_signature.model_genes.cpm.shape
    copies = CellStates(np.repeat(np.arange(n_types), 3), np.zeros((n_genes, 3 * n_types)))
    # Fits stop when no logit moves by more than 1e-4, which is less than 1e-4 of a fraction.
    np.testing.assert_allclose(fitted(copies), fitted(one_state(model)), atol=1e-4, rtol=0)


def test_fractions_of_a_sample_in_one_state_are_correct(trained, fitted):
    """All B cells of the sample are in a state halfway to monocytes."""
    model, _ = trained
    cpm = model.trained.network.signature.cpm().detach().double().numpy()
    log = np.log(cpm + PROFILE_FLOOR)
    change = np.zeros((len(cpm), 4))
    change[:, 1] = (log[:, 1] - log[:, 0]) / 2
    states = CellStates(np.array([0, 0, 1, 2]), change)
    profile = np.maximum((cpm[:, 0] + PROFILE_FLOOR) * np.exp(change[:, 1]) - PROFILE_FLOOR, 0)
    profile *= 1e6 / profile.sum()
    content = model.trained.network.signature.rna_content.double().numpy()
    truth = np.array([0.6, 0.1, 0.3])
    weight = truth * content / (truth @ content)
    sample = weight[0] * profile + cpm[:, 1:] @ weight[1:]
    with_states = fitted(states, sample[None])[0]
    without = fitted(one_state(model), sample[None])[0]
    np.testing.assert_allclose(with_states, truth, atol=0.02)
    assert np.abs(without - truth).max() > 0.05


def test_a_signature_that_is_not_finite_is_refused():
    signature = torch.tensor([[1.0, torch.nan], [2.0, 1.0], [3.0, 1.0]], dtype=torch.float64)
    with pytest.raises(ValueError, match="not finite"):
        FractionFit(
            signature,
            rna_content=torch.ones(2, dtype=torch.float64),
            trust=torch.ones(3, dtype=torch.float64),
            prior_strength=1.0,
            noise_floor=25.0,
            outlier=2.0,
        )
