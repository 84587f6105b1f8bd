"""``hpvade benchmark``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from hpvade.jobs.benchmark import _run


@pytest.fixture(scope="module")
def data(files):
    """A manifest of the files of the other commands."""
    types = {name: [name] for name in ("B", "Monocyte", "T")}
    content = {
        "references": {"ref": {"path": "reference.h5ad"}},
        "coarse_types": {"ref": types},
        "bulk": {
            "flow": {
                "path": "bulk.tsv", "truth": "truth.tsv", "truth_types": types, "headline_types": list(types),
            },
        },
    }  # fmt: skip
    (files.folder / "manifest.json").write_text(json.dumps(content))
    return files.folder


@pytest.fixture
def here(monkeypatch):
    """Make estimates in this process, which is quick, and list their names."""
    names = []

    def call(function, task):
        names.append(task.name)
        return function(task)

    monkeypatch.setattr(_run, "in_own_process", call)
    return names


def test_options(data, files, hpv, tmp_path, here):
    out = tmp_path / "out"
    chosen = ("--methods", "hpvade, mean", "--seeds", "4,2")
    result = hpv("benchmark", data, "-o", out, "--config", files.quick, *chosen)
    assert result.code == 0, result.err
    assert here == ["ref.hpvade.flow.4", "ref.hpvade.flow.2", "ref.mean.flow.4"]
    assert "Mean over all pairs" in result.out
    assert "undefined" in result.out
    assert [line for line in result.err.splitlines() if line.startswith("ref, flow (r_type/CCC): hpvade ")]
    settings = json.loads((out / "settings.json").read_text())
    assert settings["preset"] == "fast"
    assert settings["config"]["train"]["max_epochs"] == 2


def test_lists_in_the_settings_file_and_json(data, hpv, tmp_path, here):
    (tmp_path / "c.yaml").write_text("methods: [nnls, em]\nseeds: [3]\npreset: fast\ndatasets: flow\n")
    settings = ("--config", tmp_path / "c.yaml", "--json", "-q")
    result = hpv("benchmark", data / "manifest.json", "-o", tmp_path / "out", *settings)
    assert result.code == 0, result.err
    assert here == ["ref.nnls.flow.3", "ref.em.flow.3"]
    rows = pd.DataFrame(json.loads(result.out))
    assert rows["scope"].to_list() == ["B", "Monocyte", "T", "mean of types", "pooled"] * 2
    assert result.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0,x"], "'x' is not a valid seed"),
        (["--seeds", "-1"], "'-1' is not a valid seed"),
        (["--methods", "nnls,cibersort"], "no method 'cibersort'. Known: hpvade, mean, nnls, em, svr."),
        (["--estimates", "nowhere"], "nowhere contains no estimates"),
        (["--max-epochs", "0"], "max-epochs"),
    ],
)  # fmt: skip
def test_bad_options(data, hpv, tmp_path, here, arguments, message):
    result = hpv("benchmark", data, "-o", tmp_path / "out", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.replace("│", " ").split())
    assert "Traceback" not in result.err
    assert here == []
    assert not (tmp_path / "out").exists()


def test_interrupted_in_the_middle_it_goes_on(data, hpv, tmp_path, here):
    """In processes of their own: what is finished at the Ctrl-C stays, and no process stays behind."""
    out = tmp_path / "out"
    options = ["--methods", "nnls,hpvade", "--seeds", "0", "--preset", "fast", "--max-epochs", "3000"]
    command = [sys.executable, "-m", "hpvade", "benchmark", data, "-o", out, *options]
    first = out / "estimates" / "ref.nnls.flow.0.json"
    command = [str(part) for part in command]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not first.exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        said = process.stderr.read()  # ends when no process holds it open
        code = process.wait(60)
    assert code == 130, said
    assert "Run the same command to continue" in said
    assert "Traceback" not in said
    assert [path.name for path in (out / "estimates").iterdir() if path.suffix == ".json"] == [first.name]
    made = first.stat().st_mtime_ns
    settings = json.loads((out / "settings.json").read_text())
    settings["config"]["train"]["max_epochs"] = 1
    (out / "settings.json").write_text(json.dumps(settings))
    result = hpv("benchmark", data, "-o", out, *options[:-1], 1)
    assert result.code == 0, result.err
    assert here == ["ref.hpvade.flow.0"]
    assert first.stat().st_mtime_ns == made
    assert set(pd.read_csv(out / "results.tsv", sep="\t")["method"]) == {"nnls", "hpvade"}
