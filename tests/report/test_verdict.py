"""The summary that a reader sees first."""

from __future__ import annotations

import pandas as pd
import pytest

from hpvade.report._model_accuracy import ModelAccuracy
from hpvade.report._verdict import verdict
from hpvade.results import FractionTable, Results


def make_accuracy(r_type, coverage=0.91) -> ModelAccuracy:
    per_type = pd.DataFrame({"r": [r_type + 0.01, r_type - 0.01]})
    return ModelAccuracy(None, per_type, pd.DataFrame({"all types": [0.5, coverage]}, index=[0.5, 0.9]))


GOOD = make_accuracy(0.93)


def plain(text) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def results(*, flags=((), (), (), ()), with_unknown=False) -> Results:
    names = ["s1", "s2", "s3", "s4"]
    fractions = pd.DataFrame({"B": [0.2] * 4, "T": [0.7] * 4, "NK": [0.1] * 4}, index=names)
    half = pd.DataFrame({"B": [0.05] * 4, "T": [0.15] * 4, "NK": [0.02] * 4}, index=names)
    qc = pd.DataFrame({"flags": [list(of_sample) for of_sample in flags], "unknown_upper": 0.6}, index=names)
    if with_unknown:
        fractions["unknown"] = half["unknown"] = 0.4
    run = {"decisions": {"coverage": 0.8, "with_unknown": with_unknown}}
    table = FractionTable("Cell fractions", fractions, fractions - half, fractions + half)
    return Results((table,), qc, run, None, "gone", pd.DataFrame(), None, None)


def test_summary_gives_composition_uncertainty_and_reliability():
    summary = verdict(results(), accuracy=GOOD)
    composition, uncertainty, reliability = summary.sentences
    assert plain(composition) == (
        "The most abundant of 3 cell types are T (70%), B (20%) and NK (10%), averaged over 4 samples."
    )
    assert plain(uncertainty) == (
        "The median 80% interval is ±5.0 percentage points. Intervals are widest for T (median: ±15 "
        "percentage points)."
    )
    assert plain(reliability) == (
        "No sample is flagged. On new simulated samples, the mean correlation per cell type is r = 0.93, and "
        "91% of true fractions lie within the 90% intervals."
    )
    assert summary.grade == "good"


CLEAN = ((), (), (), ())


@pytest.mark.parametrize(
    ("flags", "accuracy", "grade"),
    [
        (CLEAN, GOOD, "good"),
        (((), (), (), ("flat",)), GOOD, "care"),
        (((), ("flat",), ("flat",), ("flat",)), GOOD, "bad"),
        (((), (), (), ("wide_interval",)), GOOD, "good"),
        ((("one_type",), ("one_type",), ("one_type",), ()), GOOD, "care"),  # sorted cells, perhaps
        (CLEAN, make_accuracy(0.7), "care"),
        (CLEAN, make_accuracy(0.93, coverage=0.6), "care"),
        (CLEAN, make_accuracy(0.2), "bad"),
        (CLEAN, make_accuracy(float("nan")), "bad"),
        (CLEAN, None, "unknown"),
        ((("flat",), ("flat",), ("flat",), ()), None, "bad"),
    ],
)
def test_grade_follows_flags_and_accuracy(flags, accuracy, grade):
    assert verdict(results(flags=flags), accuracy=accuracy).grade == grade


def test_unknown_content_is_reported_apart_from_the_cell_types():
    composition, uncertainty, _ = verdict(results(with_unknown=True), accuracy=GOOD).sentences
    assert "most abundant of 3 cell types" in composition
    assert "An estimated 40% of cells belong to no cell type of the reference (upper bound: 60%)." in plain(
        composition
    )
    assert "widest for T" in uncertainty


def test_a_model_that_learned_nothing():
    assert (
        "do not correlate with the true fractions"
        in verdict(results(), accuracy=make_accuracy(float("nan"))).sentences[2]
    )


def test_flagged_samples_are_named():
    flat = ("flat",)
    reliability = verdict(results(flags=(flat, (), flat, ())), accuracy=GOOD).sentences[2]
    assert "2 of 4 samples are flagged: s1 and s3 (see Quality)." in reliability
    reliability = verdict(results(flags=((), flat, (), ())), accuracy=GOOD).sentences[2]
    assert "1 of 4 samples is flagged: s2 (see Quality)." in reliability
    reliability = verdict(results(flags=(flat,) * 4), accuracy=GOOD).sentences[2]
    assert "4 of 4 samples are flagged, including s1, s2 and s3 (see Quality)." in reliability


def test_coverage_that_is_not_available_is_not_mentioned():
    reliability = verdict(results(), accuracy=make_accuracy(0.93, coverage=float("nan"))).sentences[2]
    assert plain(reliability).endswith("the mean correlation per cell type is r = 0.93.")


def test_without_the_model_no_accuracy_is_claimed():
    assert "Model accuracy is not available" in verdict(results(), accuracy=None).sentences[2]
