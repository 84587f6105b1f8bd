from __future__ import annotations

import sys

import numpy as np
import pytest

from hpvade._process import in_own_process
from hpvade.workflow import peak_memory_mb


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_peak_memory_is_not_that_of_the_process_which_started_this_one():
    before = peak_memory_mb()
    held = np.ones(50_000_000)  # 400 MB
    assert peak_memory_mb() > max(before, held.nbytes / 1e6)
    assert in_own_process(peak_memory_mb) < 0.8 * peak_memory_mb()
