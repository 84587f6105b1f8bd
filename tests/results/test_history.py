"""history.csv during training: rows are appended, and the bytes are those of the whole table."""

from __future__ import annotations

import pandas as pd
import pytest

import hpvade
from hpvade._errors import FileFormatError
from hpvade.jobs import ReferenceOptions, TrainOptions, train_files
from hpvade.results import history_beside, read_history
from hpvade.train import HISTORY_COLUMNS

SMALL = {"simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}


def test_it_grows_during_training_and_has_the_bytes_of_the_whole_table(tmp_path):
    hpvade.testing.tiny_reference().write_h5ad(tmp_path / "reference.h5ad")
    output = tmp_path / "model"
    rows, seen = [], []

    def on_epoch(row, last):
        rows.append(dict(row))
        (growing,) = tmp_path.glob(".model.hpvade/*/history.csv")  # beside the output until it is complete
        seen.append((growing.read_bytes(), last))

    def train(epochs, **how):
        options = TrainOptions("fast", SMALL | {"train": {"max_epochs": epochs}}, on_epoch=on_epoch)
        assert train_files(
            [tmp_path / "reference.h5ad"], output, options=ReferenceOptions("cell_type"), train=options, **how
        )

    def table():
        return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)).to_csv(index=False).encode()

    train(3)
    assert (output / "history.csv").read_bytes() == seen[-1][0] == table()
    assert [(text.count(b"\n"), last) for text, last in seen] == [(2, 3), (3, 3), (4, 3)]
    earlier = (output / "history.csv").read_bytes()
    train(2, resume=True)
    assert (output / "history.csv").read_bytes() == seen[-1][0] == table()
    assert [(text.count(b"\n"), last) for text, last in seen[3:]] == [(5, 5), (6, 5)]
    assert seen[3][0].startswith(earlier)


def test_a_history_that_cannot_be_continued(tmp_path):
    with pytest.raises(
        FileFormatError, match=r"history\.csv cannot be read, so there is no training to continue"
    ):
        read_history(tmp_path)


def test_a_damaged_history_beside_a_model(tmp_path):
    (tmp_path / "model").mkdir()
    assert history_beside(tmp_path / "model").empty
    (tmp_path / "history.csv").write_text("")
    with pytest.raises(FileFormatError, match=r"history\.csv cannot be read"):
        history_beside(tmp_path / "model")
