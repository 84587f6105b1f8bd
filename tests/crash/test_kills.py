"""A command that is killed leaves nothing or everything, and the same command succeeds afterwards.

``python -m tests.crash.kills SEED NUMBER FOLDER`` does this often.
"""

from __future__ import annotations

import sys

import pytest
from tests.crash.kills import kill_often


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_kills_at_random_moments(tmp_path):
    assert kill_often(tmp_path, range(4)) == []
