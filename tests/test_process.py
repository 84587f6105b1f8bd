from __future__ import annotations

import os
import signal

import pytest

from hpvade._errors import HPVADEError, InputError
from hpvade._process import in_own_process
from hpvade.metrics import pearson


def test_the_function_runs_in_another_process():
    assert in_own_process(os.getpid) != os.getpid()


def test_an_error_of_hpvade_is_raised_again():
    with pytest.raises(InputError, match="needs at least 2 values"):
        in_own_process(pearson, [1.0], [2.0])


def test_a_process_that_ends_without_a_result():
    with pytest.raises(HPVADEError, match=r"exit code 3\.$"):
        in_own_process(os._exit, 3)
    with pytest.raises(HPVADEError, match=r"exit code -9\. .*memory"):
        in_own_process(signal.raise_signal, signal.SIGKILL)
