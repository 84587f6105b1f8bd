from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import CountsError, FileFormatError, GeneOverlapError, InputError, LabelError
from hpvade._warnings import DataWarning
from hpvade.jobs import (
    ReferenceOptions,
    TrainOptions,
    load_references,
    run_files,
    validate_demo,
    validate_files,
    validate_for_model,
)


@pytest.fixture
def saved(trained, tmp_path):
    """A trained model, and a table of the same genes."""
    model, bulk = trained
    model.save(tmp_path / "model")
    bulk.to_df().T.to_csv(tmp_path / "bulk.tsv", sep="\t")
    return tmp_path / "model", tmp_path / "bulk.tsv"


def test_a_model_and_a_table_that_fit(saved):
    report = validate_for_model(*saved)
    assert report.facts["model_cell_types"] == "B, Monocyte, T"
    assert report.facts["n_samples"] == 6
    assert report.facts["shared_genes"] == report.facts["model_genes"]
    assert report.ok


def test_errors_of_both_are_reported_at_once(saved, tmp_path):
    (tmp_path / "other.tsv").write_text(
        "gene\ts1\ts2\n" + "".join(f"X{i}\t{i}\t{300 - i}\n" for i in range(300))
    )
    report = validate_for_model(saved[0], tmp_path / "other.tsv")
    assert GeneOverlapError in [problem.kind for problem in report.errors]
    report = validate_for_model(tmp_path / "nowhere", tmp_path / "nothing.tsv")
    assert [problem.kind for problem in report.errors] == [FileFormatError] * 2


def test_every_problem_of_a_table_counts(saved, tmp_path):
    (tmp_path / "bad.tsv").write_text(
        "gene\ts1\ts2\n" + "".join(f"G{i}\t-1\t\n" for i in range(50)) + "G50\t3\tnan\n"
    )
    report = validate_for_model(saved[0], tmp_path / "bad.tsv")
    (problem,) = report.errors
    assert problem.message.count("\n") == problem.n
    assert report.to_text().endswith(f"{problem.n} problems to fix.")


def test_the_demo_data_can_be_used():
    report = validate_demo(seed=0)
    assert report.ok
    assert report.facts["n_samples"] == 100
    assert sum(report.facts["cell_types"].values()) == report.facts["n_cells"]


# references


@pytest.fixture
def reference(tmp_path):
    """Write a reference, and a bulk table and labels that belong to it."""
    cells = hpvade.testing.tiny_reference(n_cells=40, n_genes=200)
    hpvade.testing.tiny_bulk(cells).to_df().T.to_csv(tmp_path / "bulk.tsv", sep="\t")
    cells.obs[["cell_type"]].to_csv(tmp_path / "labels.tsv", sep="\t")

    def write(change=lambda _cells: None):
        change(cells)
        cells.write_h5ad(tmp_path / "cells.h5ad")
        return tmp_path / "cells.h5ad", tmp_path / "bulk.tsv"

    return write


def without_labels(cells):
    del cells.obs["cell_type"]


def corrected(cells):
    cells.layers["soupx"] = cells.layers.pop("counts") * 0.97
    cells.layers["soupx"][0, 0] = 40.5
    cells.X = cells.layers["soupx"].log1p()


def test_what_was_decided_about_a_reference_is_a_warning(reference):
    def number_the_genes(cells):
        cells.var = pd.DataFrame({"any": cells.var_names}, index=[str(i) for i in range(cells.n_vars)])

    report = validate_files(*reference(number_the_genes), options=ReferenceOptions())
    assert report.ok
    assert [p.message for p in report.warnings if "numbered" in p.message]
    assert report.facts["shared_genes"] > 150


@pytest.mark.parametrize("max_cells", [20_000, 100])
def test_without_labels_everything_else_is_checked(reference, max_cells):
    options = ReferenceOptions(max_cells=max_cells)
    report = validate_files(*reference(without_labels), options=options)
    (problem,) = report.errors
    assert problem.kind is LabelError
    assert report.facts["counts_found_in"] == "layers['counts']"
    assert report.facts["shared_genes"] > 150

    def spoil(cells):
        cells.layers["counts"] = cells.layers["counts"] * 0.5
        cells.X = -cells.X

    report = validate_files(*reference(spoil), options=options)
    assert [problem.kind for problem in report.errors] == [LabelError, CountsError]


@pytest.mark.parametrize("max_cells", [20_000, 100])
def test_a_table_of_labels(reference, tmp_path, max_cells):
    path, bulk = reference(without_labels)
    labels = pd.read_csv(tmp_path / "labels.tsv", sep="\t").iloc[:-3]
    labels.to_csv(tmp_path / "some.tsv", sep="\t", index=False)
    options = ReferenceOptions(labels=tmp_path / "some.tsv", max_cells=max_cells)
    report = validate_files(path, bulk, options=options)
    assert report.ok
    assert sum(report.facts["cell_types"].values()) <= 117
    assert "3 of 120 cells have no label in some.tsv and were left out" in report.warnings[-1].message
    with pytest.raises(InputError, match="--labels belongs to one reference"):
        load_references([path, path], options=options)


@pytest.mark.parametrize("max_cells", [20_000, 100])
def test_a_run_on_corrected_counts(reference, tmp_path, max_cells):
    path, bulk = reference(corrected)
    changes = {"train": {"max_epochs": 2}, "simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}
    with pytest.warns(DataWarning, match=r"layers\['soupx'\] holds values that are not whole numbers"):
        run_files(
            [path],
            bulk,
            tmp_path / "out",
            reference_options=ReferenceOptions(layer="soupx", max_cells=max_cells),
            train=TrainOptions("fast", changes),
        )
    decisions = json.loads((tmp_path / "out" / "run.json").read_text())["decisions"]["reference"]
    assert decisions["counts_found_in"] == "layers['soupx']"
    assert "not whole numbers" in decisions["notes"][0]
    assert "Note on the reference" in (tmp_path / "out" / "report.html").read_text()
    fractions = pd.read_csv(tmp_path / "out" / "fractions.tsv", sep="\t", index_col=0)
    np.testing.assert_allclose(fractions.sum(axis=1), 1, atol=1e-6)


def test_several_references_keep_what_was_decided(reference, tmp_path):
    path, _ = reference(corrected)
    (tmp_path / "second.h5ad").write_bytes(path.read_bytes())
    with pytest.warns(DataWarning, match="not whole numbers"):
        cells = load_references([path, tmp_path / "second.h5ad"], options=ReferenceOptions(layer="soupx"))
    recorded = cells.uns["hpvade"]
    assert recorded["corrected_counts"]
    assert recorded["counts_found_in"] == "cells: layers['soupx'], second: layers['soupx']"
    assert [note.split(":")[0] for note in recorded["notes"]] == ["cells", "second"]
