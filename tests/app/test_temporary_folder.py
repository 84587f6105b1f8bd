from __future__ import annotations

import tempfile

import pytest
from filelock import FileLock

from hpvade.app._temporary_folder import LOCK, temporary_folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nothing_is_left(place):
    with temporary_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "upload").mkdir()
        (folder / "upload" / "cells.h5ad").write_bytes(b"x")
    assert list(place.iterdir()) == []


def test_nothing_is_left_of_a_program_that_was_killed(place):
    killed, running, other = (place / f"hpvade-app-{name}" for name in ("killed", "running", "other"))
    for folder in (killed, running):
        folder.mkdir()
        (folder / LOCK).touch()
        (folder / "cells.h5ad").touch()
    other.mkdir()
    (place / "hpvade-app-link").symlink_to(running)
    with FileLock(running / LOCK), temporary_folder():
        assert not killed.exists()
        assert (running / "cells.h5ad").exists()
        assert other.exists()
    with temporary_folder():
        assert not running.exists()
