from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import InputError
from hpvade.datasets import read_manifest
from hpvade.jobs.benchmark._estimate import Estimate
from hpvade.jobs.benchmark._intervals import true_scopes
from hpvade.jobs.benchmark._plan import make_plan
from hpvade.jobs.benchmark._score import score


@pytest.fixture
def plan(data):
    return make_plan(read_manifest(data.folder))


def scored(plan, truth, fractions, *, intervals, dataset="flow"):
    rows = score(
        Estimate(fractions, {}, intervals),
        truth,
        reference=plan.references["fine"],
        dataset=dataset,
        entry=plan.bulk[dataset],
        method="tool",
        seed=None,
    )
    return rows.set_index("scope")


def table_of(scope, fraction, lower, upper, samples):
    columns = {"sample": samples, "scope": scope, "fraction": fraction, "lower": lower, "upper": upper}
    return pd.DataFrame(columns)


def test_coverage_and_width_by_hand(plan, data):
    fractions = data.bulk.obsm["fractions"]
    samples = list(fractions.index)
    b, mono = fractions["B"].to_numpy(), fractions["Monocyte"].to_numpy()
    below = np.array([0.01, 0.01, -0.001, 0.01, 0.01, 0.01])  # the third lies above the truth
    intervals = pd.concat(
        [
            table_of("B", b, b - below, b + np.arange(1, 7) / 10, samples),
            table_of("Mono", mono, mono, mono, samples),
            table_of("T", 0.5, -1.0, -0.5, samples[::-1]),
            table_of("B", 0.5, 0.0, 1.0, ["a sample without a truth"]),
        ]
    )
    rows = scored(plan, data.truth, fractions, intervals=intervals)
    assert rows["coverage"].drop("pooled").to_dict() == pytest.approx(
        {"B": 5 / 6, "Mono": 1, "T": 0, "mean of types": (5 / 6 + 1) / 3}
    )
    assert rows.loc["pooled", "coverage"] == pytest.approx(11 / 18)
    width = (0.299 + 0.41) / 2
    assert rows["width"].drop("pooled").to_dict() == pytest.approx(
        {"B": width, "Mono": 0, "T": 0.5, "mean of types": (width + 0.5) / 3}
    )
    assert "unknown" not in rows.index


def test_unknown_content_against_what_the_reference_lacks(plan, data):
    fractions = data.bulk.obsm["fractions"]
    other = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    truth = data.truth.loc[fractions.index].mul(1 - other, axis=0).assign(Neutrophil=other)
    share = table_of("unknown", other / 2 + 0.1, other - 0.05, other + 0.05, list(fractions.index))
    row = scored(plan, truth, fractions, intervals=share).loc["unknown"]
    assert row["r"] == pytest.approx(1)
    assert row["bias"] == pytest.approx((other / 2 + 0.1 - other).mean())
    assert (row["coverage"], row["width"]) == (1, pytest.approx(0.1))
    assert "unknown" not in scored(plan, truth + 0.01, fractions, intervals=share).index  # sums to 1.05


def test_a_merged_type_is_known(plan, data):
    known = true_scopes(data.truth, plan.bulk["merged"], plan.references["fine"].coarse)
    assert list(known) == ["Lymph", "Mono", "unknown"]
    np.testing.assert_allclose(known["Lymph"], data.truth[["B", "T1", "T2"]].sum(axis=1))
    np.testing.assert_allclose(known["unknown"], 0, atol=1e-12)
    less = {"B": ["B"]}
    known = true_scopes(data.truth, plan.bulk["flow"], less)
    np.testing.assert_allclose(known["unknown"], data.truth.drop(columns="B").sum(axis=1))


def test_the_manifest_can_name_the_unknown_columns(plan, data):
    entry = plan.bulk["flow"].model_copy(update={"unknown": ["Tumour"]})
    truth = data.truth.assign(Tumour=0.7, Other=0.2)  # sums above 1 do not matter
    coarse = plan.references["fine"].coarse
    np.testing.assert_allclose(true_scopes(truth, entry, coarse)["unknown"], 0.7)
    without = {name: labels for name, labels in coarse.items() if name != "B"}
    np.testing.assert_allclose(true_scopes(truth, entry, without)["unknown"], 0.7 + truth["B"])


def test_types_that_are_left_out_are_unknown(data):
    plan = make_plan(read_manifest(data.folder), references=["named", "all"], leave_out=["B", "Mono+T"])
    assert [r for r, d in plan.pairs if d == "flow"] == [
        "named", "all", "named without B", "all without B", "named without Mono+T", "all without Mono+T"
    ]  # fmt: skip
    less = plan.references["named without Mono+T"]
    assert less.left_out == ("Mono", "Tcell")
    known = true_scopes(data.truth, plan.bulk["flow"], less.coarse)
    np.testing.assert_allclose(known["unknown"], data.truth.drop(columns="B").sum(axis=1))
    assert "Mono" not in set(plan.references["all without Mono+T"].labels["named"].values())
    assert [note.split(":")[0] for note in plan.notes] == ["Skipped organs"]


def test_a_type_to_leave_out_must_exist(data):
    with pytest.raises(InputError, match=r"no coarse type 'mono'. Known: .*Did you mean 'Mono'"):
        make_plan(read_manifest(data.folder), leave_out=["mono"])
