"""Places of cells and prototypes in the latent space."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import hpvade
from hpvade._errors import InputError
from hpvade.model import _latent


def encoded(model, counts):
    """μ, from counts over the model's genes."""
    log = np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)
    with torch.no_grad():
        return model.trained.network.encoder(torch.from_numpy(log).float())[0].numpy()


def test_posterior_means_of_cells_and_prototypes(trained, monkeypatch):
    monkeypatch.setattr(_latent, "_BLOCK", 50)  # more than one block
    model, _ = trained
    found = model.latent()
    counts = model.prepared[:, list(model.reference_signature.model_genes.genes)].layers["counts"].toarray()
    np.testing.assert_allclose(found.cells, encoded(model, counts), atol=1e-5)
    assert list(found.cells.index) == list(model.prepared.obs_names)
    np.testing.assert_allclose(found.prototypes, encoded(model, model.signature.to_numpy().T), atol=1e-5)
    assert list(found.prototypes.index) == ["B", "Monocyte", "T"]
    assert list(found.cells) == list(found.prototypes) == [f"z{i + 1}" for i in range(16)]


def test_cells_lie_nearest_to_the_prototype_of_their_type(trained):
    model, _ = trained
    cells, prototypes = model.latent()
    distance = np.linalg.norm(cells.to_numpy()[:, None] - prototypes.to_numpy(), axis=2)
    nearest = prototypes.index.to_numpy()[distance.argmin(1)]
    assert (nearest == model.prepared.obs["cell_type"].to_numpy()).mean() > 0.9


def test_other_cells_in_any_order_of_genes(trained, tmp_path):
    model, _ = trained
    whole = model.latent()
    model.save(tmp_path / "model")
    loaded = hpvade.HPVADE.load(tmp_path / "model")
    with pytest.raises(InputError, match="loaded without its reference"):
        loaded.latent()
    cells = hpvade.testing.tiny_reference(n_cells=60, n_genes=300, seed=1)[5:40, ::-1].copy()
    found = loaded.latent(cells)
    pd.testing.assert_frame_equal(found.cells, whole.cells.loc[cells.obs_names], atol=1e-5)
    pd.testing.assert_frame_equal(found.prototypes, whole.prototypes, atol=1e-6)
    assert loaded.latent(cells[:0].copy()).cells.shape == (0, 16)
    gene = model.reference_signature.model_genes.genes[3]
    with pytest.raises(InputError, match=f"lacks 1 of the model's .* genes, the first is '{gene}'"):
        loaded.latent(cells[:, cells.var_names != gene].copy())
    del cells.layers["counts"]
    with pytest.raises(InputError, match="no layer 'counts'"):
        loaded.latent(cells)
