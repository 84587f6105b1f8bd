from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpvade._errors import InputError
from hpvade._random import child_rng
from hpvade._warnings import DegenerateMetricWarning
from hpvade.metrics import _evaluation, bias, ccc, evaluate, mae, pearson, r_type, rmse

FUNCTIONS = {"r": pearson, "ccc": ccc, "rmse": rmse, "mae": mae, "bias": bias}
SCORE = Path(__file__).resolve().parents[2].parent / "shared" / "benchmark" / "score.py"


def tables(n_samples=9, types=("B", "T", "NK"), seed=0):
    rng = np.random.default_rng(seed)
    names = [f"s{i}" for i in range(n_samples)]
    truth = rng.dirichlet(np.ones(len(types)), n_samples)
    estimate = 0.7 * truth + 0.3 * rng.dirichlet(np.ones(len(types)), n_samples)
    return tuple(pd.DataFrame(values, index=names, columns=list(types)) for values in (estimate, truth))


def test_values_equal_those_of_the_functions():
    estimate, truth = tables()
    result = evaluate(estimate, truth, n_bootstrap=10)
    for name, function in FUNCTIONS.items():
        for k in truth:
            assert result.per_type.loc[k, name] == pytest.approx(function(estimate[k], truth[k]), abs=1e-14)
        everything = function(estimate.to_numpy().ravel(), truth.to_numpy().ravel())
        assert result.pooled[name] == pytest.approx(everything, abs=1e-14)
    for name in ("r", "rmse", "mae"):
        for s in truth.index:
            assert result.per_sample.loc[s, name] == pytest.approx(
                FUNCTIONS[name](estimate.loc[s], truth.loc[s]), abs=1e-14
            )
    assert result.summary == {
        "n_samples": 9,
        "n_types": 3,
        "r_type": pytest.approx(r_type(estimate, truth)),
        "ccc_type": pytest.approx(np.mean([ccc(estimate[k], truth[k]) for k in truth])),
        "skipped_types": {},
    }


@pytest.mark.skipif(not SCORE.exists(), reason=f"the scoring script of the workspace is not at {SCORE}")
@pytest.mark.parametrize("constant", [False, True])
def test_agrees_with_the_scoring_script(tmp_path, constant):
    spec = importlib.util.spec_from_file_location("score", SCORE)
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    estimate, truth = tables(types=("CD4", "CD8", "B naive", "B memory", "rest"), seed=3)
    if constant:
        estimate["rest"] = 0.25
    truth = truth.set_axis(["t4", "t8", "bn", "bm", "rest"], axis=1)
    truth.iloc[::-1].to_csv(tmp_path / "truth.tsv", sep="\t")
    on_truth = {"T": ["t4", "t8"], "B": ["bn", "bm"], "rest": ["rest"]}
    on_estimate = {"CD4 T": ["CD4"], "CD8 T": ["CD8"], "B": ["B naive", "B memory"], "rest": ["rest"]}
    entry = {
        "truth": "truth.tsv",
        "truth_types": on_truth,
        "headline_types": list(on_truth),
        "merge": {"T": ["CD4 T", "CD8 T"]},
    }
    manifest = {"bulk": {"set": entry}, "coarse_types": {"reference": on_estimate}}
    expected = score.score(estimate.copy(), "set", manifest, tmp_path, "reference")

    merged = {"T": ["CD4", "CD8"], "B": on_estimate["B"], "rest": ["rest"]}
    sides = {"estimate": merged, "truth": on_truth}
    if constant:
        with pytest.warns(DegenerateMetricWarning, match="'rest'"):
            result = evaluate(estimate, truth, mapping=sides)
    else:
        result = evaluate(estimate, truth, mapping=sides)
    for name in ("r", "ccc", "rmse", "mae"):
        assert result.pooled[name] == pytest.approx(expected[name], abs=1e-12)
    for name in ("r_type", "ccc_type", "n_samples"):
        assert result.summary[name] == pytest.approx(expected[name], abs=1e-12)
    for k, row in expected["per_type"].items():
        for name, value in row.items():
            assert result.per_type.loc[k, name] == pytest.approx(value, abs=1e-12, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_order_of_samples_and_types_does_not_matter(random, reorder_truth):
    estimate, truth = tables()
    before = evaluate(estimate, truth, n_bootstrap=20)
    rows, columns = list(truth.index), list(truth.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    estimate = estimate.loc[rows, columns]
    truth = truth.sample(frac=1, random_state=1) if reorder_truth else truth
    after = evaluate(estimate, truth, n_bootstrap=20)
    pd.testing.assert_frame_equal(after.per_type, before.per_type, rtol=1e-12)
    pd.testing.assert_frame_equal(after.per_sample.loc[before.per_sample.index], before.per_sample)
    assert list(after.per_sample.index) == list(truth.index)
    assert after.pooled == pytest.approx(before.pooled, abs=1e-12)


def test_mapping_sums_columns_of_the_estimate():
    estimate, truth = tables(types=("B naive", "B memory", "T"))
    truth = pd.DataFrame({"T": truth["T"], "B": truth["B naive"] + truth["B memory"], "other": 0.0})
    mapping = {"B": ["B naive", "B memory"], "T": ["T"]}
    result = evaluate(estimate, truth, mapping=mapping, n_bootstrap=0)
    assert list(result.per_type.index) == ["T", "B"]  # in truth order
    assert result.per_type.loc["B", "mae"] == pytest.approx(
        mae(estimate["B naive"] + estimate["B memory"], truth["B"])
    )
    only_truth = {"truth": {"B naive": ["B"], "T": ["T"]}}
    result = evaluate(estimate, truth, mapping=only_truth, n_bootstrap=0)
    assert list(result.per_type.index) == ["B naive", "T"]
    assert result.per_type.loc["B naive", "bias"] == pytest.approx(bias(estimate["B naive"], truth["B"]))


def test_bounds_equal_those_of_a_plain_loop():
    estimate, truth = tables(n_samples=7)
    result = evaluate(estimate, truth, n_bootstrap=50, seed=4)
    draws = child_rng(4, "bootstrap").integers(7, size=(50, 7))
    e, t = estimate.to_numpy(), truth.to_numpy()
    for name, function in FUNCTIONS.items():
        lower, upper = np.percentile([function(e[i, 0], t[i, 0]) for i in draws], [2.5, 97.5])
        assert result.per_type.loc["B", f"{name}_lower"] == pytest.approx(lower)
        assert result.per_type.loc["B", f"{name}_upper"] == pytest.approx(upper)
        lower, upper = np.percentile([function(e[i].ravel(), t[i].ravel()) for i in draws], [2.5, 97.5])
        assert result.pooled[f"{name}_lower"] == pytest.approx(lower)
        assert result.pooled[f"{name}_upper"] == pytest.approx(upper)


def test_bounds_depend_on_the_seed_and_not_on_the_blocks(monkeypatch):
    estimate, truth = tables()
    first = evaluate(estimate, truth, n_bootstrap=40)
    assert evaluate(estimate, truth, n_bootstrap=40).pooled == first.pooled
    assert evaluate(estimate, truth, n_bootstrap=40, seed=1).pooled["r_lower"] != first.pooled["r_lower"]
    monkeypatch.setattr(_evaluation, "_BLOCK_VALUES", 10)
    assert evaluate(estimate, truth, n_bootstrap=40).pooled == pytest.approx(first.pooled, abs=1e-12)


def test_undefined_resamples_are_excluded():
    estimate, truth = tables(n_samples=2)  # half of the resamples draw one sample twice
    result = evaluate(estimate, truth, n_bootstrap=100)
    assert result.per_type["r_lower"].notna().all()
    assert (result.per_type["r_lower"] <= result.per_type["r_upper"]).all()


def test_no_bootstrap_gives_no_bounds():
    result = evaluate(*tables(), n_bootstrap=0)
    assert result.per_type.filter(regex="_(lower|upper)$").isna().all(axis=None)
    with pytest.raises(InputError, match="n_bootstrap=-1"):
        evaluate(*tables(), n_bootstrap=-1)


def test_constant_type_is_skipped_and_named():
    estimate, truth = tables()
    estimate["NK"] = 0.1
    with pytest.warns(DegenerateMetricWarning, match=r"'NK' \(zero variance in the estimate\)") as caught:
        result = evaluate(estimate, truth, n_bootstrap=20)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert result.summary["skipped_types"] == {"NK": "zero variance in the estimate"}
    assert np.isnan(result.per_type.loc["NK", "r"])
    assert result.per_type.loc["NK", "ccc"] == 0
    assert result.summary["r_type"] == pytest.approx(r_type(estimate[["B", "T"]], truth[["B", "T"]]))


def test_a_single_sample_has_only_pooled_values():
    estimate, truth = tables(n_samples=1)
    with pytest.warns(DegenerateMetricWarning, match="one sample") as caught:
        result = evaluate(estimate, truth)
    assert len(caught) == 1
    assert result.per_type.isna().all(axis=None)
    assert result.pooled["rmse"] == pytest.approx(rmse(estimate.iloc[0], truth.iloc[0]))
    assert np.isnan(result.pooled["rmse_lower"])
    assert np.isnan(result.summary["r_type"])


def test_a_single_type_has_no_r_per_sample():
    estimate, truth = tables()
    with pytest.warns(DegenerateMetricWarning, match="r of 9 of 9 samples"):
        result = evaluate(estimate[["B"]], truth[["B"]], n_bootstrap=0)
    assert result.pooled["r"] == pytest.approx(result.per_type.loc["B", "r"])


def test_to_dict_is_strict_json():
    estimate, truth = tables()
    estimate["NK"] = 0.1
    with pytest.warns(DegenerateMetricWarning):
        given = evaluate(estimate, truth, n_bootstrap=5).to_dict()
    again = json.loads(json.dumps(given, allow_nan=False))
    assert again == given
    assert again["per_type"]["NK"]["r"] is None
    assert set(again) == {"summary", "pooled", "per_type", "per_sample"}
    assert again["summary"]["n_samples"] == 9


def test_input_is_not_modified():
    estimate, truth = tables()
    copies = estimate.copy(), truth.copy()
    evaluate(estimate, truth, n_bootstrap=0)
    pd.testing.assert_frame_equal(estimate, copies[0])
    pd.testing.assert_frame_equal(truth, copies[1])


def test_numbers_as_sample_names_match_their_text():
    estimate, truth = tables()
    estimate.index = range(9)
    truth.index = [str(i) for i in range(9)]
    assert evaluate(estimate, truth, n_bootstrap=0).summary["n_samples"] == 9


def missing(table):
    changed = table.copy()
    changed.loc["s2"] = np.nan
    return changed


def renamed(table, *names):
    return table.set_axis(list(names), axis=1)


@pytest.mark.parametrize(
    ("change", "mapping", "message"),
    [
        (
            lambda e, t: (e.drop(index="s3"), t),
            None,
            r"1 of 9 truth samples have no estimate: 's3'\. Samples in",
        ),
        (
            lambda e, t: (renamed(e, "b", "x", "y"), renamed(t, "B cell", "k", "l")),
            None,
            "no cell type in common. Estimate: 'b', 'x', 'y'. Truth: 'B cell', 'k', 'l'",
        ),
        (lambda e, t: (e.add_suffix("-cells"), t.add_suffix("-cell")), None, "Did you mean 'B-cells'"),
        (
            lambda e, t: (e, t),
            {"T": ["TT", "T"]},
            "columns that are not in the estimate: 'TT'. Did you mean 'T'",
        ),
        (lambda e, t: (e, t), {"truth": {"T": ["CD4"]}}, "columns that are not in the truth: 'CD4'"),
        (lambda e, t: (e, t), {"truth": {"T": ["T"]}, "guess": {}}, "Unexpected: 'guess'"),
        (lambda e, t: (e, t), {"T": "T"}, "'T' must be a list"),
        (lambda e, t: (e, t), {}, "no cell type in common"),
        (lambda e, t: (pd.concat([e, e]), t), None, "estimate contains samples more than once: 's0'"),
        (lambda e, t: (e, renamed(t, "B", "B", "T")), None, "truth contains cell types more than once: 'B'"),
        (lambda e, t: (missing(e), t), None, "missing or infinite, .* sample 's2', cell type 'B'"),
        (lambda e, t: (missing(e), t), {"B": ["B"]}, "missing or infinite"),
        (lambda e, t: (e, t.astype(str).where(t > 0.1, "n.d.")), None, "not numeric .*n.d."),
        (lambda e, t: (e, t.iloc[:0]), None, "truth is empty"),
    ],
)
def test_bad_tables(change, mapping, message):
    with pytest.raises(InputError, match=message):
        evaluate(*change(*tables()), mapping=mapping)


def test_import_is_light():
    code = (
        "import sys, hpvade.metrics; "
        "sys.exit(' '.join({'torch', 'lightning', 'scanpy', 'anndata'} & set(sys.modules)))"
    )
    path = str(Path(_evaluation.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == ""
