"""TensorBoard shows the values of the history, and its problems are reported before training."""

from __future__ import annotations

import pytest

import hpvade
from hpvade._errors import InputError, OutputError
from hpvade.jobs import TrainOptions
from hpvade.train import HISTORY_COLUMNS, check_tensorboard

QUICK = {"train": {"max_epochs": 3}, "simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}


def scalars(folder):
    """Name → step → value, as TensorBoard itself reads them."""
    reason = "TensorBoard is not installed"
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason=reason)
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)} for name in events.Tags()["scalars"]
    }


def expected(history):
    return {name: dict(zip(history["epoch"], history[name], strict=True)) for name in HISTORY_COLUMNS[1:]}


def test_scalars_are_those_of_the_history_during_and_after_training(reference, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    model = hpvade.HPVADE(reference, preset="fast", config=QUICK)
    seen = []
    folder = tmp_path / "logs" / "first"
    model.train(tensorboard=folder, on_epoch=lambda row: seen.append((dict(row), scalars(folder))))
    assert scalars(folder) == expected(model.history)
    for row, logged in seen:
        assert {name: steps[row["epoch"]] for name, steps in logged.items()} | {"epoch": row["epoch"]} == row
    model.train(tensorboard=str(folder), max_epochs=2)
    assert len(model.history) == 5
    assert scalars(folder) == expected(model.history)
    assert sorted(path.name[:6] for path in folder.iterdir()) == ["events", "events", "hparam"]
    again = hpvade.HPVADE(reference, preset="fast", config=QUICK, seed=1)
    again.train(tensorboard=folder, max_epochs=1)
    assert scalars(folder) == expected(again.history)


def test_the_history_is_the_same_without_tensorboard(reference, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    models = [hpvade.HPVADE(reference, preset="fast", config=QUICK) for _ in range(2)]
    models[0].train()
    models[1].train(tensorboard=tmp_path)
    assert models[0].history.equals(models[1].history)


def test_missing_extra_is_reported_when_the_options_are_created(tmp_path, monkeypatch):
    monkeypatch.setattr("hpvade.train._history.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"pip install 'hp-vade\[tensorboard\]'"):
        TrainOptions(tensorboard=tmp_path)
    with pytest.raises(InputError, match="not installed"):
        check_tensorboard(tmp_path)
    assert TrainOptions().tensorboard is None


def test_a_file_and_a_folder_that_cannot_be_created(reference, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        TrainOptions(tensorboard=tmp_path / "file")
    model = hpvade.HPVADE(reference, preset="fast", config=QUICK)
    with pytest.raises(OutputError, match="Choose another folder for TensorBoard"):
        model.train(tensorboard=tmp_path / "file" / "logs")
