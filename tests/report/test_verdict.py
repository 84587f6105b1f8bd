"""Three sentences that a reader sees first."""

from __future__ import annotations

import pandas as pd
import pytest

from hpvade.report._results import Results, Table
from hpvade.report._verdict import Skill, verdict

GOOD = Skill(r_type=0.93, coverage=0.91)


def results(*, flags=((), (), (), ())) -> Results:
    names = ["s1", "s2", "s3", "s4"]
    fractions = pd.DataFrame({"B": [0.2] * 4, "T": [0.7] * 4, "NK": [0.1] * 4}, index=names)
    half = pd.DataFrame({"B": [0.05] * 4, "T": [0.15] * 4, "NK": [0.02] * 4}, index=names)
    qc = pd.DataFrame({"flags": [list(of_sample) for of_sample in flags]}, index=names)
    run = {"decisions": {"deconvolve": {"level": 0.8}}}
    table = Table("Cell fractions", fractions, fractions - half, fractions + half)
    return Results((table,), qc, run, None, pd.DataFrame(), None)


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


@pytest.mark.parametrize(
    ("flags", "skill", "grade"),
    [
        (((), (), (), ("flat",)), GOOD, "care"),
        (((), ("flat",), ("flat",), ("flat",)), GOOD, "bad"),
        (((), (), (), ()), Skill(0.7, 0.9), "care"),
        (((), (), (), ()), Skill(0.2, 0.9), "bad"),
        (((), (), (), ()), Skill(float("nan"), 0.9), "bad"),
        (((), (), (), ()), None, "good"),
    ],
)
def test_grade_follows_flags_and_skill(flags, skill, grade):
    assert verdict(results(flags=flags), of_model=skill).grade == grade


def test_flagged_samples_are_named():
    trust = verdict(results(flags=(("flat",), (), ("flat",), ())), of_model=GOOD).sentences[2]
    assert "2 of 4 samples are flagged, see s1 and s3" in trust


def test_without_the_model_its_skill_is_not_claimed():
    assert "cannot be said" in verdict(results(), of_model=None).sentences[2]
