"""Bulk samples: the rules of tables that are read hold for samples in memory too."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hpvade._errors import CountsError, InputError
from hpvade._warnings import DataWarning
from hpvade.io import read_bulk
from hpvade.schema import check_bulk


def test_bulk_facts_and_notes(tmp_path):
    frame = pd.DataFrame({"s1": [1.5, 300], "s2": [2.5, 40]}, index=["ACTB", "CD3E"])
    frame.to_csv(tmp_path / "bulk.tsv", sep="\t")
    bulk = read_bulk(tmp_path / "bulk.tsv")
    bulk.uns["hpvade"]["notes"] = np.array(["something was done"], dtype=object)  # as after a round trip
    report = check_bulk(bulk)
    assert report.ok
    assert report.facts == {
        "n_samples": 2,
        "n_bulk_genes": 2,
        "unit": "linear",
        "unit_given_or_detected": "detected",
        "orientation": "genes x samples",
        "format": "tsv",
    }
    assert [problem.message for problem in report.warnings] == ["something was done"]


GOOD = [[1.5, 300.0, 7.0], [2.5, 40.0, 0.0]]


@pytest.mark.parametrize(
    ("row", "name", "kind", "message"),
    [
        ([1, np.nan, 7], "s2", CountsError, "missing (empty, NA, n/a and the like) or infinite, the first"),
        ([1, np.inf, 7], "s2", CountsError, "or infinite, the first in sample 's2', gene 'B' (inf)"),
        ([1, -3, 7], "s2", CountsError, "negative, the first in sample 's2', gene 'B' (-3)"),
        ([0, 0, 0], "s2", InputError, "zero for every gene: 's2'. Remove them."),
        ([5, 5, 5], "s2", InputError, "constant over all genes: 's2'. Remove them."),
        ([2, 30, 7], "s0", InputError, "named more than once: 's0'. Rename them."),
    ],
)  # fmt: skip
def test_a_table_and_samples_in_memory_follow_the_same_rules(tmp_path, row, name, kind, message):
    table = pd.DataFrame([*GOOD, row], ["s0", "s1", name], ["A", "B", "C"])
    table.to_csv(tmp_path / "bulk.tsv", sep="\t")
    with pytest.raises(kind) as caught:
        read_bulk(tmp_path / "bulk.tsv", unit="tpm", genes=["A", "B", "C"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # anndata's, about repeated names
        (problem,) = check_bulk(AnnData(table)).errors
    assert problem.kind is kind
    assert message in problem.message
    assert str(caught.value) == f"{tmp_path / 'bulk.tsv'}: {problem.message}"


def test_all_problems_are_reported_at_once():
    table = pd.DataFrame(np.array([[0.0, 0, 0], [1, -2, 4], [3, 3, 3]]), ["s0", "s1", "s2"], ["A", "B", "C"])
    report = check_bulk(AnnData(table))
    assert [problem.kind for problem in report.errors] == [CountsError, InputError, InputError]


def test_many_unusable_samples_are_not_all_listed():
    table = pd.DataFrame(0.0, [f"s{i}" for i in range(8)], ["A", "B"])
    (problem,) = check_bulk(AnnData(table)).errors
    assert "'s0', 's1', 's2', 's3', 's4' and 3 more. Remove them." in problem.message


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_empty_bulk(shape):
    (problem,) = check_bulk(AnnData(np.ones(shape))).errors
    assert f"{shape[0]} samples and {shape[1]} genes" in problem.message


def test_logarithms_are_a_warning_unless_the_unit_is_known():
    bulk = AnnData(np.log2(np.array(GOOD) + 1))
    (warning,) = check_bulk(bulk).warnings
    assert warning.kind is DataWarning
    assert "looks log-transformed" in warning.message
    bulk.uns["hpvade"] = {"unit": "tpm"}
    assert not check_bulk(bulk).warnings
