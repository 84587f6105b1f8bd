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


def results(
    *, flags=((), (), (), ()), with_unknown=False, half_t=0.08, unknown=0.04, upper=0.2, like=""
) -> Results:
    names = ["s1", "s2", "s3", "s4"]
    fractions = pd.DataFrame({"B": [0.2] * 4, "T": [0.7] * 4, "NK": [0.1] * 4}, index=names)
    half = pd.DataFrame({"B": [0.05] * 4, "T": [half_t] * 4, "NK": [0.02] * 4}, index=names)
    qc = pd.DataFrame({"flags": [list(of_sample) for of_sample in flags]}, index=names)
    qc["unknown"], qc["unknown_lower"] = unknown, unknown / 2
    qc["unknown_upper"], qc["unknown_like"] = upper, like
    if with_unknown:
        fractions["unknown"] = half["unknown"] = unknown
    run = {"decisions": {"coverage": 0.8, "with_unknown": with_unknown}}
    table = FractionTable("Cell fractions", fractions, fractions - half, fractions + half)
    return Results((table,), qc, run, None, "gone", pd.DataFrame(), None, None)


def test_summary_gives_composition_uncertainty_and_reliability():
    summary = verdict(results(), accuracy=GOOD)
    composition, uncertainty, reliability = summary.sentences
    assert plain(composition) == (
        "The most abundant of 3 cell types are T (70%), B (20%) and NK (10%), averaged over 4 samples. These "
        "are shares among the cell types of the reference. An estimated 4% of the cells belong to no cell "
        "type of the reference (mean upper bound: 20%)."
    )
    assert plain(uncertainty) == (
        "The median 80% interval of a cell type is ±5.0 percentage points. Intervals are widest for T "
        "(median: ±8.0 percentage points)."
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
    assert (
        "An estimated 4% of the cells belong to no cell type of the reference (mean upper bound: 20%)."
        in plain(composition)
    )
    assert "widest for T" in uncertainty


def test_much_unknown_content_comes_first_and_is_named():
    flags = (("incomplete_reference",),) * 3 + ((),)
    much = results(flags=flags, with_unknown=True, unknown=0.6, upper=0.8, like="neutrophils; basophils")
    summary = verdict(much, accuracy=GOOD)
    assert (summary.grade, summary.heading) == ("care", "The reference lacks cell types of these samples")
    assert plain(summary.sentences[0]).startswith(
        "An estimated 60% of the cells belong to no cell type of the reference (mean upper bound: 80%). They "
        "resemble neutrophils (in 4 of 4 samples) and basophils (in 4 of 4 samples). The most abundant"
    )


@pytest.mark.parametrize(
    "doubt",
    [
        {"half_t": 0.12},
        {"upper": 0.5},
        {"upper": float("nan")},  # not estimated
        {"flags": (("incomplete_reference",), (), (), ())},
    ],
)
def test_nothing_is_called_sound_without_all_evidence(doubt):
    assert verdict(results(with_unknown=True), accuracy=GOOD).grade == "good"
    assert verdict(results(with_unknown=True, **doubt), accuracy=GOOD).grade == "care"


def test_a_type_that_the_model_does_not_learn_is_a_doubt_and_named():
    per_type = pd.DataFrame({"r": [0.99, 0.99, 0.99, 0.3]}, index=["B", "T", "NK", "pDC"])
    accuracy = ModelAccuracy(None, per_type, pd.DataFrame({"all types": [0.5, 0.9]}, index=[0.5, 0.9]))
    summary = verdict(results(), accuracy=accuracy)
    assert summary.grade == "care"
    assert "; it is below 0.5 for pDC." in summary.sentences[2]


def test_unknown_content_that_was_given_or_not_looked_for():
    given = results(with_unknown=True, upper=0.04)
    given.qc["unknown_lower"] = 0.04
    assert "As given, 4% of the cells" in verdict(given, accuracy=GOOD).sentences[0]
    absent = results(unknown=float("nan"), upper=float("nan"))
    assert verdict(absent, accuracy=GOOD).sentences[0].endswith("the reference lacks were not looked for.")


def test_types_that_are_less_certain_are_named():
    assert "Less certain than ±10 percentage points: T." in plain(
        verdict(results(half_t=0.15), accuracy=GOOD).sentences[1]
    )


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
