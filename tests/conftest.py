from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

import hpvade
from hpvade.jobs import OutputOptions, TrainOptions, deconvolve_files, run_files

# They also name cells of published RNA content, so that no sample has an interval wide enough for a flag.
HOSTILE_TYPES = (
    "<img src=x onerror=alert(1)> B",
    "</script><script>alert(2)</script> Mono",
    "$x^2$ & \"T\" 'q'",
)
HOSTILE_SAMPLE = "<b onmouseover=alert(3)>s</b>"
# CI draws the same examples in every run; elsewhere each run explores new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# A shell ignores Ctrl-C for what it runs in the background; tests of interruption need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture(scope="session")
def hostile():
    """Names that try to be markup."""
    return SimpleNamespace(types=HOSTILE_TYPES, sample=HOSTILE_SAMPLE)


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """An output folder of a run whose names try to be markup, with 30 samples in two groups."""
    folder = tmp_path_factory.mktemp("report")
    cells = hpvade.testing.tiny_reference(n_cells=60, n_genes=200, cell_types=HOSTILE_TYPES)
    cells.write_h5ad(folder / "reference.h5ad")
    bulk = hpvade.testing.tiny_bulk(cells, n_samples=30)
    bulk.obs_names = [HOSTILE_SAMPLE, *bulk.obs_names[1:]]
    bulk.to_df().T.to_csv(folder / "bulk.tsv", sep="\t")
    groups = [f"{name}\t{'<i>old</i>' if i % 2 else 'young'}" for i, name in enumerate(bulk.obs_names)]
    (folder / "groups.tsv").write_text("\n".join(["sample\tgroup", *groups]) + "\n")
    changes = {"train": {"max_epochs": 2}, "simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}
    run_files(
        [folder / "reference.h5ad"],
        folder / "bulk.tsv",
        folder / "out",
        train=TrainOptions("fast", changes),
        options=OutputOptions(groups=folder / "groups.tsv"),
    )
    return folder / "out"


@pytest.fixture
def results_folder(written, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(written, tmp_path / "out"))


@pytest.fixture
def answered(written, tmp_path) -> Path:
    """Output of ``hpvade deconvolve``, whose model lies elsewhere."""
    shutil.copytree(written / "model", tmp_path / "trained" / "model")
    shutil.copy(written / "history.csv", tmp_path / "trained")
    deconvolve_files(tmp_path / "trained", written.parent / "bulk.tsv", tmp_path / "answered")
    return tmp_path / "answered"
