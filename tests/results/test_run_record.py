from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from hpvade._process import in_own_process
from hpvade.results import RunRecord, peak_memory_mb


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_peak_memory_is_not_that_of_the_process_which_started_this_one():
    before = peak_memory_mb()
    held = np.ones(50_000_000)  # 400 MB
    assert peak_memory_mb() > max(before, held.nbytes / 1e6)
    assert in_own_process(peak_memory_mb) < 0.8 * peak_memory_mb()


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_each_stage_has_its_seconds_and_the_most_memory_up_to_its_end(tmp_path):
    names = []
    record = RunRecord(0, names.append)
    with record.stage("small"):
        pass
    with record.stage("large"):
        held = np.ones(int(1.2 * peak_memory_mb() * 1e6 / 8))
    record.write(tmp_path / "run.json")
    read = json.loads((tmp_path / "run.json").read_text())
    assert list(read["seconds"]) == list(read["peak_memory_mb_up_to"]) == names == ["small", "large"]
    small, large = read["peak_memory_mb_up_to"].values()
    assert large > small
    assert large > held.nbytes / 1e6
    assert read["peak_memory_mb"] >= large
