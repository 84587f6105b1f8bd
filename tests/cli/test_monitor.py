"""``hpvade monitor`` beside real trainings."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml

from hpvade._duration import duration
from hpvade.cli._monitor_view import sparkline
from hpvade.io import partial_outputs
from hpvade.workflow import TrainingWatch, TrainOptions, train_files

SMALL = "simulate: {n_mixtures: 200, n_heldout: 50, n_cells: 50}"


def hpvade_process(*arguments, **how):
    return subprocess.Popen([sys.executable, "-m", "hpvade", *map(str, arguments)], text=True, **how)


@pytest.fixture
def train(files, tmp_path):
    """Start a training of so many epochs in a process of its own; it is gone when the test ends."""
    processes = []

    def start(epochs, *more):
        settings = tmp_path / "settings.yaml"
        settings.write_text(
            f"preset: fast\n{SMALL}\ntrain: {{max_epochs: {epochs}, patience: {epochs}}}\nthreads: 1\n"
        )
        arguments = ("train", files.reference, "-o", tmp_path / "out", "--config", settings, "-q", *more)
        processes.append(hpvade_process(*arguments))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def finished(files):
    out = files.folder / "finished"
    settings = yaml.safe_load(SMALL) | {"train": {"max_epochs": 2}}
    assert train_files([files.reference], out, train=TrainOptions("fast", settings))
    return out


@pytest.mark.slow
def test_from_before_its_begin_to_its_end(train, tmp_path):
    out = tmp_path / "out"
    arguments = ("monitor", out, "--interval", "0.1", "--wait")
    with hpvade_process(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as monitor:
        noted = monitor.stderr.readline()
        training = train(40)
        states = list(TrainingWatch(out).states(interval=0.05, on_wait=lambda: None))
        assert training.wait(30) == 0
        said, errors = monitor.communicate(timeout=30)
    assert (monitor.returncode, errors) == (0, "")
    assert {state.status for state in states[:-1]} == {"running"}
    assert states[-1].status == "finished"
    assert states[-1].folder == out
    stages = list(dict.fromkeys(state.stage for state in states if state.stage))
    assert stages[-2:] == ["prepare", "train"]
    done = [len(state.history) for state in states]
    assert done == sorted(done)
    assert len(set(done)) > 5
    timed = [state for state in states if state.seconds_left]
    assert 0 < timed[0].seconds_left < 60
    assert timed[-1].seconds_left < timed[0].seconds_left
    assert "Waiting for a training" in noted
    epochs = [int(found) for found in re.findall(r"^epoch (\d+)/40  train_loss", said, re.MULTILINE)]
    assert epochs == list(range(1, 41))
    assert "at most" in said
    assert re.search(r"finished.*\nepoch 40/40", said)


@pytest.mark.slow
def test_interrupting_it_leaves_the_training_alone_and_a_killed_training_is_told(train, files, hpv, tmp_path):
    out = tmp_path / "out"
    training = train(5000)
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with hpvade_process(
        "monitor", out, "--wait", "--interval", "0.2", stdout=slave, stderr=slave, env=environment
    ) as monitor:
        os.close(slave)
        shown = b""
        while b"r_type" not in shown:  # drawn in place, on a terminal
            shown += os.read(master, 10_000)
        monitor.send_signal(signal.SIGINT)
        assert monitor.wait(30) == 130
    shown += os.read(master, 100_000)
    os.close(master)
    assert b"running" in shown
    assert b"\x1b[?25h" in shown  # the cursor is back
    assert not re.search(rb"Traceback|Abort|Error", shown)
    assert training.poll() is None
    result = hpv("monitor", out, "--json")
    assert result.code == 0
    told = json.loads(result.out)
    assert (told["status"], told["stage"], told["epochs_at_most"]) == ("running", "train", 5000)
    assert 0 < told["epochs_done"] < 5000
    training.kill()
    training.wait()
    assert not out.exists()
    assert [partial.is_written for partial in partial_outputs(out)] == [False]
    for how in ((), ("--once",)):
        result = hpv("monitor", out, *how)
        assert result.code == 1
        assert "stopped" in result.out
        assert "killed or failed" in result.out
    settings = yaml.safe_load(SMALL) | {"train": {"max_epochs": 1}}
    assert train_files([files.reference], out, train=TrainOptions("fast", settings))
    # What the killed one left is not taken for this one.
    assert "finished" in hpv("monitor", out).out


class TestFinished:
    @pytest.mark.parametrize("place", [".", "model"])
    def test_shown_once(self, finished, hpv, place):
        result = hpv("monitor", finished / place)
        assert (result.code, result.err) == (0, "")
        assert "finished" in result.out
        assert "epoch 2/2" in result.out
        for name in ("loss_recon", "loss_kl", "loss_proto", "loss_prop", "loss_bulk_recon", "r_type"):
            assert name in result.out

    def test_as_json_and_quietly(self, finished, hpv):
        told = json.loads(hpv("monitor", finished, "--json").out)
        lines = (finished / "history.csv").read_text().splitlines()
        values = [float(value) for value in lines[-1].split(",")]
        assert told["latest"] == dict(zip(lines[0].split(","), values, strict=True))
        assert told["status"] == "finished"
        result = hpv("monitor", finished, "--quiet")
        assert (result.code, result.out, result.err) == (0, "", "")

    def test_damaged_history(self, finished, hpv, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        (out / "history.csv").write_text((finished / "history.csv").read_text().replace(",", ";"))
        result = hpv("monitor", out)
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert "history.csv is not a history of a training, or is damaged" in result.err


def test_no_training(hpv, tmp_path):
    for place in ("none", "."):
        result = hpv("monitor", tmp_path / place)
        assert result.code == 2
        assert "--wait" in result.err


def test_missing_tensorboard_is_told_before_anything_is_read(hpv, tmp_path, monkeypatch):
    monkeypatch.setattr("hpvade.train._tensorboard.find_spec", lambda _name: None)
    for arguments in (("train", "none.h5ad"), ("run", "none.h5ad", "none.tsv")):
        result = hpv(*arguments, "-o", tmp_path / "out", "--tensorboard", tmp_path / "logs")
        assert result.code == 2
        assert result.err == (
            "Error: TensorBoard is not installed. Install it: pip install 'hp-vade[tensorboard]'.\n"
        )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7325, "2 h 2 min"),
        (3600, "1 h"),
        (270_000, "3 d 3 h"),
    ],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_sparkline():
    assert sparkline(np.arange(8.0)) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([0.0, 0.5, 1.0, 2.0]), low=0, high=1) == "▁▅██"
    assert sparkline(np.array([1.0, np.nan, 2.0])) == "▁!█"
    assert sparkline(np.full(3, np.nan)) == "!!!"
    assert sparkline(np.full(3, 2.0)) == "▁▁▁"
    assert sparkline(np.repeat([0.0, 1.0], 500_000)) == "▁" * 12 + "█" * 12
