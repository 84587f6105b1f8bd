from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError, HPVADEError, InputError, OutputError
from hpvade.jobs import BenchmarkOptions, TrainOptions, benchmark_files
from hpvade.jobs.benchmark import _run

SMALL = {"n_mixtures": 100, "n_heldout": 40, "n_cells": 30}


def quick(epochs=1):
    return TrainOptions("fast", {"train": {"max_epochs": epochs}, "simulate": SMALL})


def options(**changes):
    return BenchmarkOptions(**({"methods": ["nnls", "mean"], "references": ["fine"], "seeds": [0]} | changes))


@pytest.fixture
def run(data, tmp_path):
    def call(*, train=None, force=False, output=tmp_path / "out", **changes):
        return benchmark_files(
            data.folder, output, options=options(**changes), train=train or quick(), force=force
        )

    return call


@pytest.fixture(scope="module")
def ran(data, tmp_path_factory):
    """All methods, two seeds, all pairs of two references, and an estimate of another tool."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "peers").mkdir()
    truth = data.bulk.obsm["fractions"]
    truth.to_csv(folder / "peers" / "fine.exact.flow.tsv", sep="\t", index_label="sample")
    (folder / "peers" / "fine.exact.flow.json").write_text('{"seconds": 12.5, "peak_memory_mb": 90}')
    truth.to_csv(folder / "peers" / "named.left-out.organs.tsv", sep="\t", index_label="sample")
    names, lines = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run, "in_own_process", lambda function, task: function(task))
        result = benchmark_files(
            data.folder,
            folder / "out",
            options=options(
                methods=["hpvade", "nnls", "em", "svr", "mean"],
                references=["fine", "all"],
                seeds=[4, 5],
                estimates=folder / "peers",
            ),
            train=quick(),
            on_task=lambda name, done, total: names.append((name, done, total)),
            on_pair=lines.append,
        )
    return result, folder / "out", names, lines


class TestResults:
    def test_every_estimate_is_made_once_and_baselines_with_the_first_seed(self, ran):
        _, out, names, _ = ran
        assert len(names) == len(set(names)) == 4 * (2 + 4)
        assert names[:3] == [
            ("fine.hpvade.flow.4", 0, 24), ("fine.hpvade.flow.5", 1, 24), ("fine.nnls.flow.4", 2, 24),
        ]  # fmt: skip
        made = {path.name for path in (out / "estimates").iterdir()}
        expected = {f"{name}.{ending}" for name, *_ in names for ending in ("tsv", "json")}
        expected |= {f"{name}.intervals.tsv" for name, *_ in names if ".hpvade." in name}
        assert made == expected

    def test_a_line_for_each_pair(self, ran):
        lines = ran[3]
        assert len(lines) == 4
        assert lines[0].startswith("fine, flow (r_type/CCC): ")
        assert "exact 1.00/1.00" in lines[0]
        assert "mean undefined/" in lines[0]

    def test_tidy_table(self, ran):
        result, out, *_ = ran
        table = pd.read_csv(out / "results.tsv", sep="\t", dtype={"seed": "Int64"})
        pd.testing.assert_frame_equal(table, result.table, check_dtype=False, rtol=1e-5)
        assert not table.duplicated(["reference", "dataset", "method", "seed", "scope"]).any()
        flow = table[(table["reference"] == "fine") & (table["dataset"] == "flow")]
        assert list(dict.fromkeys(flow["method"])) == ["hpvade", "nnls", "em", "svr", "mean", "exact"]
        assert list(dict.fromkeys(flow["scope"])) == ["B", "Mono", "T", "mean of types", "pooled"]
        told = flow["method"] == "hpvade"
        assert flow.loc[told, ["coverage", "width"]].notna().all(axis=None)
        assert flow.loc[~told, ["coverage", "width"]].isna().all(axis=None)
        exact = flow[flow["method"] == "exact"]
        assert exact["ccc"].to_numpy() == pytest.approx(1)
        assert exact["seed"].isna().all()
        assert set(exact["seconds"]) == {12.5}
        assert (flow.loc[flow["method"] != "exact", "peak_memory_mb"] > 100).all()

    def test_json_has_null_where_a_value_is_undefined(self, ran):
        content = json.loads((ran[1] / "results.json").read_text())
        mean = [row for row in content["table"] if row["method"] == "mean" and row["scope"] == "B"]
        assert mean[0]["r"] is None
        assert mean[0]["ccc"] == 0
        assert content["notes"] == ["Skipped organs: fine lacks Liver; all lacks Liver."]
        assert [row["method"] for row in content["summary"]][:2] == ["hpvade", "nnls"]

    def test_words(self, ran):
        text = (ran[1] / "results.md").read_text()
        places = [
            text.index(part)
            for part in (
                "seeds 4, 5", "Skipped organs", "## By cell type", "## Mean over all pairs",
                "### all, merged (6 samples)", "## Each pair pooled",
                "## Intervals and unknown content",
            )
        ]  # fmt: skip
        assert places == sorted(places)
        assert "| undefined |" in text
        assert " ± " in text
        last = text.split("## Intervals and unknown content")[1].strip().splitlines()
        assert [line.split(" | ")[2] for line in last[2:]] == ["hpvade"] * 4
        widths = {}
        for block in text.split("\n\n"):
            lines = [line for line in block.splitlines() if line.startswith("|")]
            widths[block] = {line.count("|") for line in lines}
        assert all(len(found) <= 1 for found in widths.values())  # each table has equally long rows

    def test_summary_text(self, ran):
        lines = ran[0].summary_text().splitlines()
        assert "undefined" in next(line for line in lines if line.startswith("mean"))
        assert next(line for line in lines if line.startswith("exact")).endswith("90")

    def test_other_files(self, ran):
        _, out, *_ = ran
        assert {path.name for path in out.iterdir()} == {
            "estimates", "settings.json", "results.tsv", "results.json", "results.md", "results.png",
            "results.svg", "run.json",
        }  # fmt: skip
        record = json.loads((out / "run.json").read_text())
        assert record["decisions"]["methods"] == ["hpvade", "nnls", "em", "svr", "mean", "exact"]
        assert set(record["seconds"]) == {"read", "checksums", "estimate", "results"}


class TestGoingOn:
    def test_a_stopped_run_is_finished_without_redoing_anything(self, run, calls, monkeypatch, tmp_path):
        once = _run.in_own_process

        def stops(function, task):
            if len(calls) == 2:
                raise KeyboardInterrupt
            return once(function, task)

        monkeypatch.setattr(_run, "in_own_process", stops)
        with pytest.raises(KeyboardInterrupt):
            run(methods=["hpvade", "nnls", "mean"])
        files = sorted((tmp_path / "out" / "estimates").iterdir())
        assert {path.stem for path in files} == {
            "fine.hpvade.flow.0", "fine.hpvade.flow.0.intervals", "fine.nnls.flow.0",
        }  # fmt: skip
        assert not (tmp_path / "out" / "results.tsv").exists()
        before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]

        monkeypatch.setattr(_run, "in_own_process", once)
        run(methods=["hpvade", "nnls", "mean"])
        assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before
        assert len(calls) == len(set(calls)) == 6
        run(methods=["hpvade", "nnls", "mean"])
        assert len(calls) == 6

    def test_what_a_killed_process_left_does_not_matter(self, run, calls, tmp_path):
        run(methods=["nnls"], datasets=["flow"])
        for folder in (tmp_path / "out", tmp_path / "out" / "estimates"):
            (folder / ".results.tsv.hpvade").mkdir()
        run(methods=["nnls"], datasets=["flow"])
        assert len(calls) == 1

    def test_half_an_estimate_is_made_again(self, run, calls, tmp_path):
        first = run(methods=["nnls"], datasets=["flow"])
        (tmp_path / "out" / "estimates" / "fine.nnls.flow.0.json").unlink()
        again = run(methods=["nnls"], datasets=["flow"])
        assert calls == ["fine.nnls.flow.0"] * 2
        metrics = [name for name in first.table if name not in ("seconds", "peak_memory_mb")]
        pd.testing.assert_frame_equal(first.table[metrics], again.table[metrics])

    def test_methods_sets_references_and_seeds_can_be_added(self, run, calls):
        run(methods=["nnls"], datasets=["flow"])
        run(methods=["nnls", "em"], references=["fine", "named"], datasets=["merged", "flow"])
        run(methods=["nnls"], datasets=["flow"], seeds=[1])
        assert len(calls) == len(set(calls)) == 1 + 7 + 1
        table = run(methods=["em"], references=["named"], datasets=["flow"]).table
        assert set(zip(table["reference"], table["method"], strict=True)) == {("named", "em")}

    def test_other_settings_are_refused_unless_forced(self, run, calls, tmp_path):
        run(datasets=["flow"], methods=["nnls"])
        with pytest.raises(OutputError, match=r"config.train.max_epochs: 1 → 2\. Use the same"):
            run(datasets=["flow"], methods=["nnls"], train=quick(2))
        settings = json.loads((tmp_path / "out" / "settings.json").read_text())
        assert settings["config"]["train"]["max_epochs"] == 1
        run(datasets=["flow"], methods=["mean"], train=quick(2), force=True)
        assert calls == ["fine.nnls.flow.0", "fine.mean.flow.0"]
        assert {p.stem for p in (tmp_path / "out" / "estimates").iterdir()} == {"fine.mean.flow.0"}

    @pytest.mark.parametrize("what", ["version", "bulk", "drop"])
    def test_another_version_or_other_data_are_other_settings(self, run, calls, tmp_path, what):
        run(datasets=["flow"], methods=["nnls"])
        path = tmp_path / "out" / "settings.json"
        settings = json.loads(path.read_text())
        if what == "version":
            settings["hpvade"] = "0.0.1"
        elif what == "bulk":
            settings["bulk"]["flow"]["sha256"] = "0"
        else:
            settings["references"]["fine"]["members"]["fine"]["drop_labels"] = []
        path.write_text(json.dumps(settings))
        place = {"version": "hpvade: '0.0.1'", "bulk": "bulk.flow.sha256", "drop": "fine.drop_labels"}[what]
        with pytest.raises(OutputError, match=place):
            run(datasets=["flow"], methods=["nnls"])

    def test_a_folder_with_other_things_is_left_alone(self, run, tmp_path, calls):
        out = tmp_path / "out"
        out.mkdir()
        for name in ("thesis.txt", "run.json"):
            (out / name).write_text("mine")
            for force in (False, True):
                with pytest.raises(OutputError, match="not the output of hpvade benchmark"):
                    run(force=force)
            assert (out / name).read_text() == "mine"
            (out / name).unlink()
        run(methods=["nnls"], datasets=["flow"])
        (out / "settings.json").write_text("{")
        with pytest.raises(OutputError, match=r"settings.json cannot be read.*--force"):
            run(methods=["nnls"], datasets=["flow"])
        with pytest.raises(OutputError, match="is a file"):
            run(output=out / "settings.json")


class TestBadInput:
    """All of it ends the run before anything is written."""

    @pytest.fixture(autouse=True)
    def nothing_is_written(self, calls, tmp_path):
        yield
        assert calls == []
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"methods": ["nnsl"]}, "no method 'nnsl'.* Did you mean 'nnls'"),
            ({"methods": []}, "No method to compare"),
            ({"methods": ["em", "em"]}, "A method is given more than once"),
            ({"seeds": [1, 1]}, "A seed is given more than once"),
            ({"seeds": []}, "No seed to compare"),
            ({"references": ["none"]}, "no reference with coarse types 'none'"),
        ],
    )
    def test_options(self, run, changes, message):
        with pytest.raises(InputError, match=message):
            run(**changes)

    def test_estimates_that_lack_samples(self, run, peer, data):
        folder = peer(table=data.bulk.obsm["fractions"].iloc[1:])
        with pytest.raises(InputError, match=r"fine\.tool\.flow: 1 of 6 truth samples have no estimate"):
            run(estimates=folder)

    def test_a_truth_without_a_column_of_the_manifest(self, data, tmp_path):
        content = json.loads(json.dumps(data.content))
        content["bulk"]["flow"]["truth_types"]["T"] = ["T1", "T3"]
        (data.folder / "lost.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=r"no column of .*truth.tsv called 'T3'. Known: B, Monocyte"):
            benchmark_files(data.folder / "lost.json", tmp_path / "out", options=options())

    def test_no_manifest(self, tmp_path):
        with pytest.raises(FileFormatError, match=r"manifest.json cannot be read"):
            benchmark_files(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("kind", [InputError, HPVADEError])
def test_an_error_of_an_estimate_names_it_and_keeps_the_others(run, calls, monkeypatch, tmp_path, kind):
    once = _run.in_own_process

    def fails(function, task):
        if task.method == "mean":
            msg = "Something is wrong."
            raise kind(msg)
        return once(function, task)

    monkeypatch.setattr(_run, "in_own_process", fails)
    result = run()
    failed = [note for note in result.notes if note.startswith("Failed fine.mean.flow.0: ")]
    assert len(failed) == 1
    assert "Something is wrong." in failed[0]
    assert set(result.table["method"]) == {"nnls"}
    assert (tmp_path / "out" / "estimates" / "fine.nnls.flow.0.json").exists()


def test_if_every_estimate_fails_the_error_is_raised(run, monkeypatch):
    def fails(function, task):
        msg = "Something is wrong."
        raise InputError(msg)

    monkeypatch.setattr(_run, "in_own_process", fails)
    with pytest.raises(InputError, match=r"Something is wrong\. Finished"):
        run()


def test_the_seed_of_the_bootstrap_moves_bounds_only(run, calls):
    first, second = run(datasets=["flow"]).table, run(datasets=["flow"], bootstrap_seed=1).table
    assert len(calls) == 2
    np.testing.assert_array_equal(first["ccc"], second["ccc"])
    assert (first["ccc_lower"] != second["ccc_lower"]).any()


def test_what_was_read_again_is_what_was_written(run, calls, tmp_path):
    first = run(methods=["hpvade"], datasets=["flow"]).table
    again = run(methods=["hpvade"], datasets=["flow"]).table
    assert len(calls) == 1
    pd.testing.assert_frame_equal(first, again)
    path = tmp_path / "out" / "estimates" / "fine.hpvade.flow.0.intervals.tsv"
    table = pd.read_csv(path, sep="\t")
    for broken in (
        table[["sample"]],
        pd.concat([table, table]),
        table.assign(lower=2),
        table.assign(upper=""),
    ):
        broken.to_csv(path, sep="\t", index=False)
        with pytest.raises(FileFormatError, match=r"intervals.tsv .*Remove it; it will be made again"):
            run(methods=["hpvade"], datasets=["flow"])
    path.unlink()
    run(methods=["hpvade"], datasets=["flow"])
    assert len(calls) == 2
    assert path.exists()


def test_other_sums_are_other_settings(run, calls, data, tmp_path):
    run(methods=["nnls"], datasets=["merged"])
    content = json.loads(json.dumps(data.content))
    content["bulk"]["merged"]["merge"] = {"Lymph": ["B"]}
    (data.folder / "other.json").write_text(json.dumps(content))
    with pytest.raises(OutputError, match=r"bulk\.merged\.merge\.Lymph"):
        benchmark_files(
            data.folder / "other.json",
            tmp_path / "out",
            options=options(methods=["nnls"], datasets=["merged"]),
            train=quick(),
        )
