from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

import hpvade
from hpvade.jobs.benchmark import _run

GENES = 200


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A manifest with two references of other labels, a set for both, a merged set, and a set for none."""
    folder = tmp_path_factory.mktemp("data")
    fine = hpvade.testing.tiny_reference(n_genes=GENES)
    fine.obs["junk"] = fine.obs["cell_type"].astype(str)
    fine.obs.loc[fine.obs_names[:7], "junk"] = "doublet"
    fine.write_h5ad(folder / "fine.h5ad")
    named = hpvade.testing.tiny_reference(n_genes=GENES, cell_types=("Bcell", "Mono", "Tcell", "X"), seed=4)
    named.write_h5ad(folder / "named.h5ad")
    bulk = hpvade.testing.tiny_bulk(fine)
    bulk.to_df().T.to_csv(folder / "bulk.tsv", sep="\t")
    truth = bulk.obsm["fractions"]
    truth = truth.assign(T1=truth["T"] / 4, T2=truth["T"] * 3 / 4).drop(columns="T")
    truth.iloc[::-1].to_csv(folder / "truth.tsv", sep="\t", index_label="sample")
    bulk_files = {"path": "bulk.tsv", "unit": "tpm", "truth": "truth.tsv"}
    types = {"B": ["B"], "Mono": ["Monocyte"], "T": ["T1", "T2"]}
    merged = {"Lymph": ["B", "T1", "T2"], "Mono": ["Monocyte"]}
    content = {
        "version": 1,
        "references": {
            "fine": {
                "path": "fine.h5ad",
                "labels_key": "junk",
                "donor_key": "donor",
                "drop_labels": ["doublet"],
            },
            "named": {"path": "named.h5ad"},
            "other": {"path": "fine.h5ad"},
        },
        "coarse_types": {
            "fine": {"B": ["B"], "Mono": ["Monocyte"], "T": ["T"]},
            "named": {"B": ["Bcell"], "Mono": ["Mono"], "T": ["Tcell"], "X": ["X"]},
        },
        "bulk": {
            "flow": {**bulk_files, "truth_types": types, "headline_types": ["B", "Mono", "T"]},
            "merged": {
                **bulk_files,
                "truth_types": merged,
                "merge": {"Lymph": ["B", "T"]},
                "headline_types": ["Lymph", "Mono"],
            },
            "organs": {**bulk_files, "truth_types": {"Liver": ["B"]}, "headline_types": ["Liver"]},
        },
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    return SimpleNamespace(folder=folder, content=content, truth=truth, bulk=bulk, cells=fine)


@pytest.fixture
def calls(monkeypatch):
    """Make estimates in this process, which is quick, and list their names."""
    names = []

    def here(function, task):
        names.append(task.name)
        return function(task)

    monkeypatch.setattr(_run, "in_own_process", here)
    return names


@pytest.fixture
def peer(tmp_path, data):
    """Write an estimate of another tool; returns the folder."""
    folder = tmp_path / "peers"
    folder.mkdir()

    def write(name="fine.tool.flow", *, table=None, facts=None):
        if table is None:
            rng = np.random.default_rng(len(name))
            table = data.bulk.obsm["fractions"] * 0.7 + 0.3 * rng.dirichlet(np.ones(3), data.bulk.n_obs)
        table.to_csv(folder / f"{name}.tsv", sep="\t", index_label="sample")
        if facts is not None:
            (folder / f"{name}.json").write_text(json.dumps(facts))
        return folder

    return write
