"""Kills and full disks: a command leaves nothing or everything, and the same command succeeds afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.crash.kills import Commands, kill_often

if sys.platform != "win32":
    import resource

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals and limits")


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return Commands(tmp_path_factory.mktemp("commands"))


def test_kills_at_random_moments(commands, tmp_path):
    """``python -m tests.crash.kills SEED NUMBER FOLDER`` does this often."""
    assert kill_often(commands, tmp_path, range(3)) == []


@pytest.mark.parametrize("limit", [60, 5_000, 100_000], ids="{} bytes".format)
def test_files_that_cannot_grow(commands, tmp_path, limit):
    """The first file that is too large is a table, the expression, or the report.

    Finished blocks of samples may be kept; the same command succeeds when there is space.
    """
    command = [*commands.command("deconvolve", tmp_path / "out"), "--expression", str(tmp_path / "e.h5ad")]
    ended = subprocess.run(
        command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "cannot be written" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    for left in tmp_path.iterdir():
        assert (left / "unfinished").exists()
        assert f"The finished part is kept in {left}" in ended.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.h5ad", "out"]
