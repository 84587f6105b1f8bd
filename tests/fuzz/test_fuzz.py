"""Damaged inputs end with one message or the right answer; scripts/fuzz runs thousands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "scripts" / "fuzz"


@pytest.mark.skipif(sys.platform != "linux", reason="forks with limits")
def test_some_damaged_inputs_of_each_kind():
    """In a process of its own, because it forks."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", FUZZ, "--cases", "8", "--seed", "7"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2_000:]
