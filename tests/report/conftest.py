from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import hpvade
from hpvade.workflow import Extras, TrainOptions, deconvolve_files, run_files

HOSTILE_TYPES = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "$x^2$ & \"T\" 'q'")
HOSTILE_SAMPLE = "<b onmouseover=alert(3)>s</b>"


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
        extras=Extras(groups=folder / "groups.tsv"),
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
