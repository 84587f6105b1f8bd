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
