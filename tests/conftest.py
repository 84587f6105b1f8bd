from __future__ import annotations

from pathlib import Path

import pytest

import hpvade

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real references and bulk; not part of the project."""
    if not (SHARED_DATA / "manifest.json").exists():
        pytest.skip(f"the real data are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def reference():
    """A tiny reference, set up, with donors."""
    cells = hpvade.testing.tiny_reference()
    hpvade.HPVADE.setup_anndata(cells, labels_key="cell_type", donor_key="donor")
    return cells


@pytest.fixture
def prepared(reference):
    return hpvade.pp.preprocess(reference, labels_key="cell_type", donor_key="donor")


@pytest.fixture(scope="session")
def trained():
    """A small model trained for a few epochs on a tiny reference, and bulk it knows the truth of."""
    cells = hpvade.testing.tiny_reference(n_cells=60, n_genes=300, seed=1)  # enough for two states a type
    hpvade.HPVADE.setup_anndata(cells, labels_key="cell_type")
    config = {"preprocess": {"n_markers": 100}, "train": {"max_epochs": 6}}
    model = hpvade.HPVADE(cells, preset="fast", config=config, seed=3)
    model.train()
    return model, hpvade.testing.tiny_bulk(cells)
