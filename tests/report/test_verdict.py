"""Three sentences that a reader sees first."""

from __future__ import annotations

import pandas as pd
import pytest

from hpvade.report._model_accuracy import ModelAccuracy
from hpvade.report._verdict import verdict
from hpvade.results._results import Results, Table


def skill(r_type, coverage=0.91) -> ModelAccuracy:
    per_type = pd.DataFrame({"r": [r_type + 0.01, r_type - 0.01]})
    return ModelAccuracy(None, per_type, pd.DataFrame({"all types": [0.5, coverage]}, index=[0.5, 0.9]))


GOOD = skill(0.93)


def results(*, flags=((), (), (), ()), with_unknown=False) -> Results:
    names = ["s1", "s2", "s3", "s4"]
    fractions = pd.DataFrame({"B": [0.2] * 4, "T": [0.7] * 4, "NK": [0.1] * 4}, index=names)
    half = pd.DataFrame({"B": [0.05] * 4, "T": [0.15] * 4, "NK": [0.02] * 4}, index=names)
    qc = pd.DataFrame({"flags": [list(of_sample) for of_sample in flags], "unknown_upper": 0.6}, index=names)
    if with_unknown:
        fractions["unknown"] = half["unknown"] = 0.4
    run = {"decisions": {"deconvolve": {"level": 0.8, "with_unknown": with_unknown}}}
    table = Table("Cell fractions", fractions, fractions - half, fractions + half)
    return Results((table,), qc, run, None, "gone", pd.DataFrame(), None, None)


def test_says_what_how_sure_and_what_to_distrust():
    told = verdict(results(), of_model=GOOD)
    contents, certainty, trust = told.sentences
    assert "4 samples" in contents
    assert "T (70%), B (20%) and NK (10%)" in contents
    assert "±5.0 points (80% interval)" in certainty
    assert "least sure is T, to ±15 points" in certainty
    assert "No sample is flagged" in trust
    assert "r = 0.93" in trust
    assert "91%" in trust
    assert told.grade == "good"


CLEAN = ((), (), (), ())


@pytest.mark.parametrize(
    ("flags", "of_model", "grade"),
    [
        (CLEAN, GOOD, "good"),
        (((), (), (), ("flat",)), GOOD, "care"),
        (((), ("flat",), ("flat",), ("flat",)), GOOD, "bad"),
        (((), (), (), ("wide_interval",)), GOOD, "good"),
        ((("one_type",), ("one_type",), ("one_type",), ()), GOOD, "care"),  # sorted cells, perhaps
        (CLEAN, skill(0.7), "care"),
        (CLEAN, skill(0.93, coverage=0.6), "care"),
        (CLEAN, skill(0.2), "bad"),
        (CLEAN, skill(float("nan")), "bad"),
        (CLEAN, None, "unknown"),
        ((("flat",), ("flat",), ("flat",), ()), None, "bad"),
    ],
)
def test_grade_follows_flags_and_skill(flags, of_model, grade):
    assert verdict(results(flags=flags), of_model=of_model).grade == grade


def test_unknown_content_is_told_but_no_cell_type():
    contents, certainty, _ = verdict(results(with_unknown=True), of_model=GOOD).sentences
    assert "largest of 3 cell types" in contents
    assert "40% are cells of no type of the reference, though up to 60%" in contents
    assert "least sure is T" in certainty


def test_a_model_that_learned_nothing_is_told():
    assert "do not follow the truth" in verdict(results(), of_model=skill(float("nan"))).sentences[2]


def test_flagged_samples_are_named():
    trust = verdict(results(flags=(("flat",), (), ("flat",), ())), of_model=GOOD).sentences[2]
    assert "2 of 4 samples are flagged, see s1 and s3" in trust


def test_without_the_model_its_skill_is_not_claimed():
    assert "cannot be said" in verdict(results(), of_model=None).sentences[2]
