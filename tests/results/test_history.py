"""history.csv while it grows: the bytes it always had, read in parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hpvade
from hpvade._errors import FileFormatError
from hpvade.jobs import ReferenceOptions, TrainOptions, train_files
from hpvade.results._history import HistoryReader, append_epoch, write_history
from hpvade.train import HISTORY_COLUMNS

SMALL = {"simulate": {"n_mixtures": 200, "n_heldout": 50, "n_cells": 50}}


def rows_of(n):
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=(n, len(HISTORY_COLUMNS) - 1)).tolist()
    return [{"epoch": i} | dict(zip(HISTORY_COLUMNS[1:], row, strict=True)) for i, row in enumerate(values)]


def test_it_grows_in_training_and_has_the_bytes_of_the_whole_table(tmp_path):
    hpvade.testing.tiny_reference().write_h5ad(tmp_path / "reference.h5ad")
    output = tmp_path / "model"
    rows, seen = [], []

    def on_epoch(row, at_most):
        rows.append(dict(row))
        (growing,) = tmp_path.glob(".hpvade-*/model/history.csv")
        seen.append((growing.read_bytes(), at_most))

    def train(epochs, **how):
        options = TrainOptions("fast", SMALL | {"train": {"max_epochs": epochs}}, on_epoch=on_epoch)
        assert train_files(
            [tmp_path / "reference.h5ad"], output, options=ReferenceOptions("cell_type"), train=options, **how
        )

    def table():
        return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)).to_csv(index=False).encode()

    train(3)
    assert (output / "history.csv").read_bytes() == seen[-1][0] == table()
    assert [(told.count(b"\n"), at_most) for told, at_most in seen] == [(2, 3), (3, 3), (4, 3)]
    earlier = (output / "history.csv").read_bytes()
    train(2, resume=True)
    assert (output / "history.csv").read_bytes() == seen[-1][0] == table()
    assert [(told.count(b"\n"), at_most) for told, at_most in seen[3:]] == [(5, 5), (6, 5)]
    assert seen[3][0].startswith(earlier)


def test_reading_by_parts_gives_what_reading_at_once_does(tmp_path):
    path = tmp_path / "history.csv"
    reader = HistoryReader()
    with pytest.raises(FileNotFoundError):
        reader.read(path)
    for row in rows_of(5):
        append_epoch(row, tmp_path)
        found = reader.read(path)
        assert found is reader.read(path)  # what was read is not read again
        pd.testing.assert_frame_equal(
            found, pd.read_csv(path, dtype=float, float_precision="round_trip"), check_exact=True
        )
    whole = path.read_bytes()
    path.write_bytes(whole + b"5,0.1,0.2")  # caught in the middle of a line
    assert len(reader.read(path)) == 5
    write_history(pd.DataFrame(rows_of(2)), tmp_path)  # a new training
    assert len(reader.read(path)) == 2


def test_what_was_read_once_is_left_alone(tmp_path):
    path = tmp_path / "history.csv"
    write_history(pd.DataFrame(rows_of(3)), tmp_path)
    reader = HistoryReader()
    reader.read(path)
    text = bytearray(path.read_bytes())
    text[-30:-20] = b"x" * 10  # would be an error if it were read
    path.write_bytes(text)
    append_epoch(rows_of(4)[-1], tmp_path)
    assert reader.read(path)["epoch"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", None),
        ("epoch,loss\n0,1\n", "the column 'train_loss' is missing"),
        (",".join(HISTORY_COLUMNS) + "\n0,1,2\n", "more or fewer values"),
        (",".join(HISTORY_COLUMNS) + "\n0" + ",x" * 13 + "\n", "could not convert"),
        (",".join(HISTORY_COLUMNS) + "\n" + "," * 13 + "\n", "no epoch"),
        ("\x00\x01\n\n", "is missing"),
    ],
)
def test_what_is_no_history_is_told(tmp_path, text, told):
    path = tmp_path / "history.csv"
    path.write_text(text)
    if told is None:
        assert len(HistoryReader().read(path)) == 0
        return
    with pytest.raises(FileFormatError, match=told) as error:
        HistoryReader().read(path)
    assert str(path) in str(error.value)
