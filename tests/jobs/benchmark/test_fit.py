from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import hpvade
from hpvade._errors import LabelError
from hpvade._warnings import DataWarning
from hpvade.datasets import read_manifest
from hpvade.jobs import TrainOptions
from hpvade.jobs.benchmark._fit import Task, estimate, load_reference
from hpvade.jobs.benchmark._plan import make_plan

QUICK = TrainOptions(
    "fast", {"train": {"max_epochs": 1}, "simulate": {"n_mixtures": 100, "n_heldout": 40, "n_cells": 30}}
)


@pytest.fixture
def plan(data):
    return make_plan(read_manifest(data.folder))


def task_of(plan, method, *, reference="fine", seed=0):
    return Task(
        reference=plan.references[reference],
        dataset="flow",
        bulk=plan.bulk["flow"],
        method=method,
        seed=seed,
        train=QUICK,
    )


def test_dropped_labels_and_donors(plan):
    cells = load_reference(plan.references["fine"])
    assert cells.obs["cell_type"].value_counts().to_dict() == {"B": 33, "Monocyte": 40, "T": 40}
    assert cells.obs["donor"].nunique() == 4
    assert cells.uns["hpvade"]["donor_key"] == "donor"


def test_together_they_have_the_types_of_each(plan):
    with pytest.warns(DataWarning, match="Not every reference has 'X'"):
        cells = load_reference(plan.references["all"])
    counts = cells.obs.groupby(["hpvade_reference", "cell_type"], observed=True).size()
    assert counts.to_dict() == {
        ("fine", "B"): 33, ("fine", "Mono"): 40, ("fine", "T"): 40,
        ("named", "B"): 40, ("named", "Mono"): 40, ("named", "T"): 40,
        ("named", "X"): 40,
    }  # fmt: skip


def test_the_model_answers_as_it_does_by_hand(plan):
    task = task_of(plan, "hpvade", seed=3)
    made = estimate(task)
    cells = load_reference(task.reference)
    bulk = hpvade.io.read_bulk(task.bulk.path, unit="tpm", genes=cells.var_names)
    model = hpvade.HPVADE(cells, preset="fast", config=QUICK.changes, bulk=bulk, seed=3)
    model.train()
    np.testing.assert_array_equal(made.fractions, model.deconvolve(bulk).fractions)
    assert task.name == "fine.hpvade.flow.3"
    stages = made.facts["seconds_of_stages"]
    assert set(stages) == {"prepare", "train", "deconvolve"}
    assert made.facts["seconds"] == pytest.approx(sum(stages.values()))
    assert made.facts["peak_memory_mb"] > 100
    assert made.facts["genes"] == len(model.reference_signature.model_genes.genes)


@pytest.mark.parametrize("method", ["nnls", "em", "svr"])
def test_baselines_recover_clean_mixtures(plan, data, method):
    made = estimate(task_of(plan, method, reference="fine"))
    np.testing.assert_allclose(made.fractions, data.bulk.obsm["fractions"], atol=0.06)


def test_baselines_know_genes_by_their_other_names(plan, data, tmp_path):
    ids = data.cells.var["gene_ids"].reindex(data.bulk.var_names)
    data.bulk.to_df().T.set_axis(ids, axis=0).to_csv(tmp_path / "ids.tsv", sep="\t")
    task = task_of(plan, "nnls")
    with_ids = replace(task, bulk=task.bulk.model_copy(update={"path": tmp_path / "ids.tsv"}))
    np.testing.assert_allclose(estimate(with_ids).fractions, estimate(task).fractions, atol=1e-6)


def test_the_mean_predictor_needs_no_training(plan):
    made = estimate(task_of(plan, "mean"))
    assert made.fractions.nunique().to_list() == [1, 1, 1]
    assert set(made.facts["seconds_of_stages"]) == {"prepare", "deconvolve"}


def test_a_label_that_is_not_there(data):
    content = json.loads(json.dumps(data.content))
    content["coarse_types"]["fine"]["B"] = ["Bee"]
    content["references"]["named"]["drop_labels"] = ["Y"]
    (data.folder / "bad.json").write_text(json.dumps(content))
    references = make_plan(read_manifest(data.folder / "bad.json")).references
    with pytest.raises(LabelError, match=r"label 'Bee', which is not in obs\['junk'\] of .*fine.h5ad"):
        load_reference(references["fine"])
    with pytest.raises(LabelError, match="the label 'Y'"):
        load_reference(references["named"])


@pytest.mark.parametrize("method", ["em", "mean"])
def test_baselines_answer_in_shares_of_rna_where_the_truth_is_of_rna(plan, method):
    task = task_of(plan, method)
    cells, rna = (
        estimate(replace(task, bulk=task.bulk.model_copy(update={"estimand": estimand}))).fractions
        for estimand in ("cells", "rna")
    )
    np.testing.assert_allclose(rna.sum(axis=1), 1)
    gained = (rna / cells).mean()
    assert gained["Monocyte"] > 1.2 > gained["T"]  # a monocyte has twice the RNA
