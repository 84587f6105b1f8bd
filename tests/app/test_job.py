"""The progress of a job."""

from __future__ import annotations

import pytest

from hpvade.app._job import Progress


@pytest.fixture
def training():
    """Progress after two of ten epochs, which took 4 s each."""
    progress = Progress()
    for now, message in [
        (0, {"event": "stage", "name": "read"}),
        (5, {"event": "stage", "name": "train"}),
        (9, {"event": "epoch", "row": {"epoch": 0.0}, "last": 10}),
        (13, {"event": "epoch", "row": {"epoch": 1.0}, "last": 10}),
    ]:
        progress.update(message, float(now))
    return progress


def test_stages(training):
    assert [(stage.name, stage.seconds) for stage in training.stages] == [("read", 5), ("train", None)]
    training.end_stage(20.0)
    assert training.stages[1].seconds == 15


def test_seconds_left_of_training(training):
    assert training.seconds_left(13.0) == 32  # eight epochs
    assert training.seconds_left(15.0) == 30
    assert training.seconds_left(100.0) == 0
    training.update({"event": "stage", "name": "deconvolve"}, 16.0)
    assert training.seconds_left(17.0) is None
    assert Progress().seconds_left(1.0) is None
