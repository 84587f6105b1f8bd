"""Checks of a reference: every problem is reported, and all at once."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hpvade._errors import CountsError, LabelError
from hpvade.schema import check_reference


def make(labels, *, donors=None) -> AnnData:
    n = len(labels)
    counts = sparse.csr_matrix(np.arange(3 * n, dtype=np.float32).reshape(n, 3) + 1)
    obs = pd.DataFrame({"cell_type": pd.Categorical(labels)}, index=[f"c{i}" for i in range(n)])
    if donors is not None:
        obs["donor"] = donors
    uns = {"hpvade": {"counts_found_in": "raw.X"}}
    return AnnData(counts, obs=obs, layers={"counts": counts.copy()}, uns=uns)


GOOD = ["T"] * 12 + ["B"] * 10


def test_good_reference():
    report = check_reference(make(GOOD, donors=["d1", "d2"] * 11), labels_key="cell_type", donor_key="donor")
    assert report.ok
    assert not report.warnings
    assert report.facts["cell_types"] == {"B": 10, "T": 12}
    assert report.facts["donors"] == {"d1": 11, "d2": 11}
    assert report.facts["counts_found_in"] == "raw.X"
    # cell i has counts 3i + 1, 3i + 2, 3i + 3, so 9i + 6; the median cell is 10.5
    assert report.facts["median_counts_per_cell"] == 9 * 10.5 + 6
    assert (report.facts["n_cells"], report.facts["n_genes"]) == (22, 3)
    report.raise_if_errors()
    json.dumps(report.to_dict())


def test_missing_labels_name_the_first_cells():
    report = check_reference(make([None, *GOOD, "", "nan", None]), labels_key="cell_type")
    (problem,) = report.errors
    assert problem.kind is LabelError
    assert "4 of 26 cells have no label" in problem.message
    assert "('c0', 'c23', 'c24', …)" in problem.message
    assert "remove" in problem.message


def test_one_type_only():
    (problem,) = check_reference(make(["T"] * 20), labels_key="cell_type").errors
    assert "at least two cell types, but has only one, 'T'." in problem.message


def test_no_type_at_all():
    report = check_reference(make([None] * 3), labels_key="cell_type")
    assert "at least two cell types, but has none." in report.errors[-1].message


def test_types_with_too_few_cells_are_listed_with_their_number():
    report = check_reference(make([*GOOD, "NK", "NK", "pDC"]), labels_key="cell_type")
    (problem,) = report.errors
    assert "fewer than 10 cells: 'NK' (2), 'pDC' (1)" in problem.message
    assert "--min-cells" in problem.message
    assert check_reference(make([*GOOD, "NK", "NK", "pDC"]), labels_key="cell_type", min_cells=1).ok


def test_all_problems_are_reported_at_once():
    report = check_reference(make(["T"] * 3 + [None]), labels_key="cell_type")
    with pytest.raises(LabelError, match=r"(?s)3 problems:\n1\. .*\n2\. .*\n3\. "):
        report.raise_if_errors()


def test_absent_columns_suggest_the_nearest():
    report = check_reference(make(GOOD), labels_key="celltype", donor_key="donor")
    assert "Did you mean 'cell_type'?" in report.errors[0].message
    assert "donor_key='donor'" in report.errors[1].message


def test_absent_counts():
    adata = make(GOOD)
    del adata.layers["counts"]
    (problem,) = check_reference(adata, labels_key="cell_type").errors
    assert problem.kind is CountsError


def test_cells_without_counts_are_a_warning():
    adata = make(GOOD)
    adata.layers["counts"] = sparse.csr_matrix(adata.layers["counts"].toarray() * ([[0]] + [[1]] * 21))
    report = check_reference(adata, labels_key="cell_type")
    assert report.ok
    assert "1 cell has no counts at all ('c0')" in report.warnings[0].message


def test_donors_missing_or_single_are_warnings():
    report = check_reference(
        make(GOOD, donors=["d1"] * 21 + [None]), labels_key="cell_type", donor_key="donor"
    )
    assert report.ok
    assert ["no donor" in p.message or "fewer than two" in p.message for p in report.warnings] == [True, True]


def warnings_of(*labels):
    report = check_reference(make([label for label in labels for _ in range(10)]), labels_key="cell_type")
    assert report.ok
    return [problem.message for problem in report.warnings]


@pytest.mark.parametrize(
    "labels",
    [
        ("T cell", "T cells", "B"),
        ("T cell", "t_cell", "B"),
        ("CD4+ T", "CD4+T", "B"),
        ("NK-cell", "NK cell", "B"),
        ("Mono.1", "mono 1", "B"),
        ("Naïve T", "naïve-T", "B"),
    ],
)
def test_labels_that_differ_in_spelling_are_a_warning(labels):
    (text,) = warnings_of(*labels)
    assert f"differ only in spelling, but count as different cell types: '{min(labels[:2])}' (10)" in text
    assert "--label-map" in text


@pytest.mark.parametrize(
    "labels",
    [
        ("CD4+ T", "CD4- T"),
        ("CD16- NK", "CD16 NK"),
        ("CD8 T", "CD4 T"),
        ("Cluster 1.1", "Cluster 11"),
        ("T1 2", "T12"),
        ("Th1", "Th17"),
        ("DC", "pDC"),
        ("gamma", "gammas delta"),
    ],
)
def test_other_labels_are_no_warning(labels):
    assert warnings_of(*labels) == []


@pytest.mark.parametrize(
    "label",
    [
        "Doublet",
        "T-B doublets",
        "unassigned",
        "Unknown",
        "low quality",
        "Low_quality cells",
        "lowQ",
        "Unassigned_3",
    ],
)
def test_labels_that_are_no_cell_type_are_a_warning(label):
    (text,) = warnings_of("T", "B", label)
    assert f"do not look like cell types: '{label}' (10)" in text
    assert "--label-map" in text


def test_corrected_counts_need_not_be_whole_numbers():
    adata = make(GOOD)
    adata.layers["counts"] = adata.layers["counts"] * 1.01
    assert not check_reference(adata, labels_key="cell_type").ok
    adata.uns["hpvade"]["corrected_counts"] = True
    assert check_reference(adata, labels_key="cell_type").ok
    adata.layers["counts"].data[4] = -1
    (problem,) = check_reference(adata, labels_key="cell_type").errors
    assert "negative value -1.0 in cell 'c1'" in problem.message


def test_bins_are_no_counts():
    adata = make(["T"] * 20 + ["B"] * 20)
    adata.layers["counts"] = sparse.csr_matrix(np.tile([0.0, 0.0, 50.0], (40, 1)))
    (problem,) = check_reference(adata, labels_key="cell_type").errors
    assert "as in binned values" in problem.message
