from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import InputError
from hpvade._warnings import DegenerateMetricWarning
from hpvade.datasets import read_manifest
from hpvade.jobs.benchmark._estimate import Estimate
from hpvade.jobs.benchmark._plan import make_plan
from hpvade.jobs.benchmark._score import COLUMNS, by_type, over_seeds, score, summarise


@pytest.fixture
def plan(data):
    return make_plan(read_manifest(data.folder))


@pytest.fixture
def scored(plan, data):
    """Score a noisy estimate."""

    def call(*, dataset="flow", method="tool", seed=0, flat=(), facts=None, noise=0.3, reference="fine"):
        rng = np.random.default_rng(100 + seed)
        table = data.bulk.obsm["fractions"]
        table = (1 - noise) * table + noise * rng.dirichlet(np.ones(3), len(table))
        table[list(flat)] = 0.25
        return score(
            Estimate(table, facts or {}),
            data.truth,
            reference=plan.references[reference],
            dataset=dataset,
            entry=plan.bulk[dataset],
            method=method,
            seed=seed,
        ), table

    return call


def test_values_are_those_of_plain_numpy(scored, data):
    rows, estimate = scored(dataset="merged", facts={"seconds": 3, "peak_memory_mb": 500})
    assert list(rows.columns) == COLUMNS
    assert rows["scope"].to_list() == ["Lymph", "Mono", "mean of types", "pooled"]
    truth = data.bulk.obsm["fractions"].loc[estimate.index]
    got = np.stack([estimate["B"] + estimate["T"], estimate["Monocyte"]])
    want = np.stack([truth["B"] + truth["T"], truth["Monocyte"]])

    def ccc(x, y):
        return 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)

    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(got, want, strict=True)]
    c = [ccc(x, y) for x, y in zip(got, want, strict=True)]
    off = got - want
    x, y = got.ravel(), want.ravel()
    np.testing.assert_allclose(rows["r"], [*r, np.mean(r), np.corrcoef(x, y)[0, 1]])
    np.testing.assert_allclose(rows["ccc"], [*c, np.mean(c), ccc(x, y)])
    rmse = np.sqrt((off**2).mean(1))
    np.testing.assert_allclose(rows["rmse"], [*rmse, rmse.mean(), np.sqrt((off**2).mean())])
    np.testing.assert_allclose(rows["mae"], [*abs(off).mean(1), abs(off).mean(), abs(off).mean()])
    np.testing.assert_allclose(rows["bias"], [*off.mean(1), off.mean(), off.mean()], atol=1e-15)
    assert (rows["ccc_lower"] < rows["ccc"]).to_list() == [True, True, False, True]  # the mean has no bounds
    assert set(rows["seconds"]) == {3}
    assert set(rows["peak_memory_mb"]) == {500}


def test_agrees_with_the_scoring_script(shared_data):
    folder = shared_data.parent / "benchmark"
    fractions = folder / "peers" / "estimates" / "pbmc_hao.rectangle.hoek.tsv"
    if not fractions.exists():
        pytest.skip(f"no estimates at {fractions}")
    spec = importlib.util.spec_from_file_location("score", folder / "score.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    manifest = script.json.loads((shared_data / "manifest.json").read_text())
    table = pd.read_csv(fractions, sep="\t", index_col=0)
    expected = script.score(table.copy(), "hoek_GSE64655", manifest, shared_data, "pbmc_hao")
    plan = make_plan(read_manifest(shared_data))
    entry = plan.bulk["hoek_GSE64655"]
    rows = score(
        Estimate(hpvade.results.read_fractions(fractions), {}),
        hpvade.results.read_fractions(entry.truth),
        reference=plan.references["pbmc_hao"],
        dataset="hoek_GSE64655",
        entry=entry,
        method="rectangle",
        seed=None,
    ).set_index("scope")
    assert list(rows.index) == [*expected["types"], "mean of types", "pooled"]
    assert rows["n_samples"].iloc[0] == expected["n_samples"]
    for name in ("r", "ccc", "rmse", "mae"):
        assert rows.loc["pooled", name] == pytest.approx(expected[name], abs=1e-12)
    assert rows.loc["mean of types", "r"] == pytest.approx(expected["r_type"], abs=1e-12)
    assert rows.loc["mean of types", "ccc"] == pytest.approx(expected["ccc_type"], abs=1e-12)
    for cell_type, values in expected["per_type"].items():
        for name in ("r", "ccc", "rmse", "bias"):
            assert rows.loc[cell_type, name] == pytest.approx(values[name], abs=1e-12)


def test_a_constant_estimate_is_told_with_its_name_except_the_mean_predictor(scored):
    with pytest.warns(DegenerateMetricWarning, match=r"^fine\.tool\.flow\.0: .*'Mono'"):
        rows, _ = scored(flat=["Monocyte"])
    rows = rows.set_index("scope")
    assert np.isnan(rows.loc["Mono", "r"])
    assert rows.loc["mean of types", "r"] == pytest.approx(rows.loc[["B", "T"], "r"].mean())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows, _ = scored(method="mean", flat=["Monocyte", "B", "T"])
    assert rows.set_index("scope").loc["mean of types", "r"] is not None
    assert np.isnan(rows.set_index("scope").loc["mean of types", "r"])


def test_a_sample_or_a_type_without_an_estimate(plan, data):
    def of(table):
        return score(
            Estimate(table, {}),
            data.truth,
            reference=plan.references["fine"],
            dataset="flow",
            entry=plan.bulk["flow"],
            method="tool",
            seed=None,
        )

    whole = data.bulk.obsm["fractions"]
    with pytest.raises(InputError, match=r"^fine\.tool\.flow: 2 of 6 truth samples have no estimate"):
        of(whole.iloc[2:])
    with pytest.raises(InputError, match=r"^fine\.tool\.flow: .*not in the estimate: 'T'"):
        of(whole.drop(columns="T"))


def test_means_over_seeds_and_pairs(scored):
    parts = [
        scored(dataset=dataset, method=method, seed=seed, noise=noise, facts={"seconds": seconds})[0]
        for dataset, method, seed, noise, seconds in [
            ("flow", "a", 0, 0.2, 1), ("flow", "a", 1, 0.6, 3), ("merged", "a", 0, 0.2, 10),
            ("flow", "b", 0, 0.4, 5),
        ]
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    seeds = over_seeds(table).set_index(["dataset", "method", "scope"])
    values = [part.set_index("scope").loc["B", "r"] for part in parts[:2]]
    b = seeds.loc[("flow", "a", "B")]
    assert b["r"] == pytest.approx(np.mean(values))
    assert b["r_sd"] == pytest.approx(np.std(values, ddof=1))
    assert b["ccc_lower"] == min(part.set_index("scope").loc["B", "ccc_lower"] for part in parts[:2])
    assert (b["seconds"], b["n_seeds"]) == (2, 2)
    assert np.isnan(seeds.loc[("flow", "b", "B"), "r_sd"])

    summary = summarise(table)
    assert summary["pairs"].to_dict() == {"a": 2, "b": 1}
    assert summary.loc["a", "seconds"] == 6  # of 2 and 10: each pair counts once, whatever its seeds
    pooled = [part.set_index("scope").loc["pooled", "ccc"] for part in parts]
    assert summary.loc["a", "ccc"] == pytest.approx(np.mean([np.mean(pooled[:2]), pooled[2]]))
    of_types = [part.set_index("scope").loc["mean of types", "r"] for part in parts]
    assert summary.loc["a", "r_type"] == pytest.approx(np.mean([np.mean(of_types[:2]), of_types[2]]))

    types = by_type(table, "r")
    assert list(types.index) == ["B", "Mono", "T", "Lymph", "mean of types"]
    assert types.loc["B", "a"] == pytest.approx(np.mean(values))
    assert np.isnan(types.loc["Lymph", "b"])


def test_a_mean_that_skips_a_pair_says_so(scored):
    with pytest.warns(DegenerateMetricWarning, match=r"^fine\.tool"):
        flat, _ = scored(flat=["B", "Monocyte", "T"])
    table = pd.concat([flat, scored(dataset="merged")[0]], ignore_index=True)
    with pytest.warns(DegenerateMetricWarning, match="r_type of tool in 1 of 2 pairs; r of tool in 1"):
        summary = summarise(table)
    assert summary.loc["tool", "r_type"] == table.loc[table["scope"] == "mean of types", "r"].iloc[1]
