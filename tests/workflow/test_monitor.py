"""What a watcher is told of trainings that run, have ended, or were killed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from hpvade._errors import FileFormatError, InputError
from hpvade.io import output_dir
from hpvade.train import HISTORY_COLUMNS
from hpvade.workflow import RunRecord, TrainingWatch
from hpvade.workflow._history import append_epoch, write_history

LOSSES = [0.5, 0.2, 0.3, 0.25]


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def table(losses, *, r_type=0.5, **columns):
    history = pd.DataFrame(1.0, index=range(len(losses)), columns=list(HISTORY_COLUMNS))
    history["epoch"] = range(len(losses))
    return history.assign(val_loss_prop=losses, val_r_type=r_type, **columns)


def write(folder, losses=(), *, now=None, **record):
    """Write what a training writes; ``now`` in seconds ago."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(losses):
        write_history(losses if isinstance(losses, pd.DataFrame) else table(losses), folder)
    if now is not None:
        record["now"] = now
    (folder / "run.json").write_text(json.dumps(record))


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def running(output):
    """Folder of a run that holds its lock."""
    with output_dir(output) as folder:
        yield folder


def test_how_far_and_how_long(output, running):
    now = {"stage": "train", "since": ago(60), "seconds_per_epoch": 5, "written": ago(2)}
    write(running, LOSSES, started=ago(100), epochs={"earlier": 0, "at_most": 10, "patience": 5}, now=now)
    state = TrainingWatch(output).look()
    assert (state.status, state.stage, state.epochs_at_most) == ("running", "train", 10)
    assert state.seconds == pytest.approx(100, abs=1)
    assert state.seconds_left == pytest.approx(6 * 5 - 2, abs=1)
    assert state.best.to_dict() == table(LOSSES).loc[1].to_dict()
    assert state.problems == ()
    told = json.loads(json.dumps(state.to_dict(), allow_nan=False))
    assert (told["epochs_done"], told["best_epoch"], told["best_val_loss_prop"]) == (4, 1, 0.2)
    assert told["latest"] == table(LOSSES).loc[3].to_dict()


def test_one_epoch_does_not_tell_how_long_they_take(output, running):
    now = {"stage": "train", "since": ago(30), "written": ago(10)}
    write(running, LOSSES[:1], started=ago(40), epochs={"earlier": 0, "at_most": 5, "patience": 5}, now=now)
    state = TrainingWatch(output).look()
    assert (state.seconds_per_epoch, state.seconds_left) == (None, None)


def test_before_the_first_epoch(output, running):
    write(running, started=ago(5), now={"stage": "read", "since": ago(4), "written": ago(4)})
    state = TrainingWatch(output).look()
    assert (state.stage, len(state.history), state.seconds_left, state.best) == ("read", 0, None, None)
    assert state.to_dict()["latest"] == {}


def test_record_of_a_run_is_what_is_read(output, running, monkeypatch):
    ticks = iter([0.0, 7.0, 9.0, 11.0])
    monkeypatch.setattr("hpvade.workflow._record.time.perf_counter", lambda: next(ticks))
    record = RunRecord(0)
    record.keep_in(running)
    assert TrainingWatch(output).look().stage == ""
    watch = TrainingWatch(output)
    with record.stage("train"):
        record.epochs = {"earlier": 0, "at_most": 9, "patience": 5}
        for done in range(2):
            append_epoch(table(LOSSES).loc[done].to_dict() | {"epoch": done}, running)
            record.end_epoch()
        state = watch.look()
        assert (state.stage, len(state.history), state.seconds_per_epoch) == ("train", 2, 2.0)
    record.write(running / "run.json")
    told = json.loads((running / "run.json").read_text())
    assert "now" not in told
    assert told["epochs"]["at_most"] == 9
    assert {path.name for path in running.iterdir()} == {"run.json", "history.csv"}


class TestWhichOne:
    def test_the_running_one_is_preferred_and_model_is_its_folder_too(self, output, running):
        write(output, LOSSES, started=ago(1), seconds={"train": 3})
        (output / "model").mkdir()
        write(running.parents[1] / ".hpvade-left" / "out", LOSSES[:1], started=ago(0))
        write(running, LOSSES[:2], started=ago(10), now={"written": ago(0)})
        for path in (output, output / "model", output / ".." / "out"):
            state = TrainingWatch(path).look()
            assert (state.status, state.folder, len(state.history)) == ("running", running, 2)

    @pytest.mark.parametrize(("killed", "status"), [(5, "stopped"), (20, "finished")])
    def test_else_the_latest(self, output, killed, status):
        write(output, LOSSES, started=ago(10), seconds={"read": 1.0, "train": 2.5})
        now = {"stage": "train", "since": ago(killed), "written": ago(killed - 2)}
        write(output.parent / ".hpvade-left" / "out", LOSSES[:1], started=ago(killed), now=now)
        state = TrainingWatch(output).look()
        assert state.status == status
        assert state.seconds == pytest.approx(2 if status == "stopped" else 3.5, abs=0.1)
        assert state.seconds_left is None

    def test_a_folder_that_an_older_hpvade_wrote(self, output):
        write(output, LOSSES)
        (output / "run.json").unlink()
        state = TrainingWatch(output).look()
        assert (state.status, state.epochs_at_most, state.seconds) == ("finished", 4, None)

    def test_nothing(self, output):
        assert TrainingWatch(output).look() is None
        with pytest.raises(InputError, match="no training at"):
            next(TrainingWatch(output).states(interval=0.01))
        (output / "model").mkdir(parents=True)
        assert TrainingWatch(output).look() is None


class TestUntilItsEnd:
    def follow(self, output):
        """States of a run, while it goes on: after two epochs, after four, and at its end."""
        states = TrainingWatch(output).states(interval=0.01)
        with output_dir(output, force=True) as folder:
            write(folder, LOSSES[:2], started=ago(3), now={"stage": "train", "written": ago(1)})
            yield next(states)
            write(folder, LOSSES, started=ago(3), now={"stage": "train", "written": ago(0)})
            yield next(states)
            write(
                folder, LOSSES, started=json.loads((folder / "run.json").read_text())["started"], seconds={}
            )
        yield from states

    def test_finished(self, output):
        states = list(self.follow(output))
        assert [state.status for state in states] == ["running", "running", "finished"]
        assert [len(state.history) for state in states] == [2, 4, 4]

    @pytest.mark.parametrize("older", [False, True])
    def test_a_run_that_fails_leaves_nothing_and_is_not_taken_for_an_older_one(self, output, older):
        if older:
            write(output, LOSSES[:1], started=ago(1000), seconds={})
        watch = TrainingWatch(output)

        def run():
            with output_dir(output, force=True) as folder:
                write(folder, LOSSES, started=ago(3), now={"stage": "train", "written": ago(0)})
                assert watch.look().status == "running"
                raise RuntimeError

        with pytest.raises(RuntimeError):
            run()
        state = watch.look()
        assert (state.status, len(state.history), state.seconds_left) == ("stopped", 4, None)

    def test_waiting_for_its_begin(self, output, monkeypatch):
        said = []
        looks = iter(range(3))

        def sleep(_seconds):
            if next(looks) == 2:
                write(output, LOSSES)

        monkeypatch.setattr("hpvade.workflow._monitor.time.sleep", sleep)
        watch = TrainingWatch(output)
        states = list(watch.states(interval=1, on_wait=lambda: said.append("waits")))
        assert [state.status for state in states] == ["finished"]
        assert said == ["waits"]


class TestHealth:
    def problems(self, output, history, **record):
        write(output, history, **record)
        return TrainingWatch(output).look().problems

    def test_mean_collapse_after_some_epochs_only(self, output):
        assert self.problems(output, table([0.1] * 4, r_type=0.0)) == ()
        (told,) = self.problems(output, table([0.1] * 5, r_type=0.02))
        assert "mean collapse" in told
        (told,) = self.problems(output, table([0.1] * 5, r_type=np.nan))
        assert "mean collapse" in told
        assert self.problems(output, table([0.1] * 5, r_type=0.4)) == ()

    def test_not_finite(self, output):
        history = table([0.1, np.nan], train_loss_kl=[1.0, np.inf])
        told = self.problems(output, history)
        assert sorted(told) == ["train_loss_kl is not finite.", "val_loss_prop is not finite."]
        write(output, history)
        state = TrainingWatch(output).look()
        assert state.best["epoch"] == 0
        assert state.to_dict()["latest"]["val_loss_prop"] is None

    @pytest.mark.parametrize(
        ("losses", "no_better"), [([0.3, 0.2, 0.3, 0.3], None), ([0.3, 0.2, 0.3, 0.3, 0.2], 3)]
    )
    def test_no_better(self, output, running, losses, no_better):
        now = {"stage": "train", "since": ago(5), "written": ago(0)}
        epochs = {"earlier": 0, "at_most": 20, "patience": 6}
        told = self.problems(running, losses, started=ago(9), epochs=epochs, now=now) or (
            TrainingWatch(output).look().problems
        )
        assert len(told) == (no_better is not None)
        assert all(f"no better for {no_better} epochs; 6 in a row end training" in text for text in told)

    @pytest.mark.parametrize(("quiet", "n_told"), [(50, 0), (90, 1)])
    def test_no_sign_for_long(self, output, running, quiet, n_told):
        now = {"stage": "train", "since": ago(200), "seconds_per_epoch": 4, "written": ago(quiet)}
        epochs = {"earlier": 0, "at_most": 20, "patience": 6}
        write(running, LOSSES, started=ago(300), epochs=epochs, now=now)
        told = TrainingWatch(output).look().problems
        assert ["No epoch has ended" in text for text in told] == [True] * n_told
        epochs["patience"] = 2  # it has stopped early, and is calibrated
        write(running, LOSSES, started=ago(300), epochs=epochs, now=now)
        assert TrainingWatch(output).look().problems == ()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"now": {}, "started": 3, "seconds": 1}', '{"now": {"stage": "x"}}']
)
def test_damaged_record(output, text):
    write(output, LOSSES)
    (output / "run.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"run\.json is damaged"):
        TrainingWatch(output).look()
