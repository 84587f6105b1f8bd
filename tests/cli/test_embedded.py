"""The commands on embedded data."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from hpvade.cli import train_embedded
from hpvade.jobs import demo_data


def test_demo_bulk_is_not_made_of_reference_cells():
    data = demo_data(seed=0)
    assert data.reference.n_obs == 560
    assert data.bulk.obsm["truth"].shape == (100, 7)
    assert data.bulk.X.sum(1) == pytest.approx(1e6, rel=1e-4)


def test_demo(hpv, tmp_path):
    result = hpv("demo", "-o", tmp_path / "demo", "--preset", "fast", "--max-epochs", 2)
    assert result.code == 0, result.err
    for name in (
        "HP-VADE",
        "weighted NNLS",
        "mean training fraction",
        str(tmp_path / "demo" / "report.html"),
    ):
        assert name in result.out
    accuracy = pd.read_csv(tmp_path / "demo" / "accuracy.tsv", sep="\t", index_col=0)
    assert {"r_type", "ccc_type", "r", "ccc", "rmse"} == set(accuracy.columns)
    fractions = pd.read_csv(tmp_path / "demo" / "fractions.tsv", sep="\t", index_col=0)
    assert fractions.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-6)


def test_demo_as_json(hpv, tmp_path):
    result = hpv("demo", "-o", tmp_path / "demo", "--preset", "fast", "--max-epochs", 1, "--json", "-q")
    values = json.loads(result.out)
    assert values["mean training fraction"]["r_type"] is None
    assert values["weighted NNLS"]["r_type"] > 0


@pytest.fixture
def training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            train_embedded(["--preset", "fast", "--max-epochs", "2", *arguments])
        return stop.value.code or 0

    return call


def test_short_way_to_train(training, tmp_path, capsys):
    assert training("-y") == 0
    history = pd.read_csv(tmp_path / "hp_vade_training" / "history.csv")
    assert len(history) == 2
    assert history["val_loss_proto"].between(0.1, 10).all()
    assert (tmp_path / "hp_vade_training" / "model" / "weights.safetensors").exists()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2
    assert "train_loss" in lines[0]
    assert "val_loss" in lines[0]
    assert training("-y") == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "trains"), [("y\n", True), ("n\n", False)])
def test_without_yes_it_shows_the_settings_and_asks(training, tmp_path, monkeypatch, capsys, answer, trains):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert training() == 0
    assert "max_epochs: 2" in capsys.readouterr().out
    assert (tmp_path / "hp_vade_training").exists() == trains
