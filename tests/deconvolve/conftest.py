"""A model of real blood."""

from __future__ import annotations

import pytest

import hpvade


@pytest.fixture(scope="package")
def blood_model(shared_data):
    """A briefly trained model of blood: flags depend on the fit, hardly on the network."""
    entry = hpvade.datasets.read_manifest(shared_data).references["pbmc3k"]
    cells = hpvade.io.read_reference(entry.path, labels_key=entry.labels_key)
    cells = cells[~cells.obs[entry.labels_key].isin(entry.drop_labels)].copy()
    hpvade.HPVADE.setup_anndata(cells, labels_key=entry.labels_key)
    config = {
        "preprocess": {"n_markers": 240},
        "train": {"max_epochs": 2},
        "deconvolve": {"n_calibration": 100},
    }
    model = hpvade.HPVADE(cells, preset="fast", config=config)
    model.train()
    return model
