"""A stopped run is resumed, and two runs never write to one output."""

from __future__ import annotations

import errno
import subprocess
import sys

import filelock
import pytest

from hpvade._errors import InputError, OutputError
from hpvade._warnings import DataWarning
from hpvade.io import Unfinished, output_dir


def test_resumes_what_was_saved(tmp_path):
    with (
        pytest.warns(DataWarning, match="Run the same command again to resume"),
        pytest.raises(KeyboardInterrupt),
    ):
        run(tmp_path, ["one\n", "two\n", KeyboardInterrupt])
    done, text = run(tmp_path, ["three\n"])
    assert (done, text) == (2, "one\ntwo\nthree\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_of_another_run_are_deleted(tmp_path):
    with pytest.warns(DataWarning), pytest.raises(KeyboardInterrupt):
        run(tmp_path, ["one\n", KeyboardInterrupt])
    assert run(tmp_path, ["new\n"], key="another") == (0, "new\n")


def test_nothing_is_left_if_nothing_was_done(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, [KeyboardInterrupt])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "short", "no progress"])
def test_damaged_files_are_not_resumed(tmp_path, damage):
    with pytest.warns(DataWarning), pytest.raises(KeyboardInterrupt):
        run(tmp_path, ["one\n", KeyboardInterrupt])
    workspace = next(tmp_path.iterdir()) / "unfinished"
    if damage == "missing":
        (workspace / "files" / "table.tsv").unlink()
    elif damage == "short":
        (workspace / "files" / "table.tsv").write_text("o")
    else:
        (workspace / "progress.json").write_text("{")
    assert run(tmp_path, ["new\n"]) == (0, "new\n")


def test_two_runs_at_once(tmp_path):
    with (
        output_folder(tmp_path / "out"),
        pytest.raises(OutputError, match="Another run is writing"),
        output_folder(tmp_path / "out"),
    ):
        pass


KILLED = """
import sys
from pathlib import Path
from hpvade.io import Unfinished, output_dir
with output_dir(Path(sys.argv[1]), own_files=set) as folder:
    files = Unfinished.beside(folder, key="key")
    (files.folder / "table.tsv").write_text("one\\n")
    files.save(1)
    print("saved", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_refused_while_another_process_writes_and_resumed_after_it_was_killed(tmp_path):
    command = [sys.executable, "-c", KILLED, tmp_path / "out"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "saved\n"
        with pytest.raises(OutputError, match="Another run is writing"):
            run(tmp_path, ["two\n"])
        process.kill()
    assert run(tmp_path, ["two\n"]) == (1, "one\ntwo\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(_self):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with pytest.raises(OutputError, match=r"cannot be written: No locks available"):
        run(tmp_path, ["one\n"])


def test_files_of_a_run_with_unusable_input_are_deleted(tmp_path):
    def unusable():
        with output_folder(tmp_path / "out") as folder:
            Unfinished.beside(folder, key="key").save(1)
            raise InputError

    with pytest.raises(InputError):
        unusable()
    assert list(tmp_path.iterdir()) == []


def output_folder(path):
    return output_dir(path, own_files={"table.tsv"}.intersection)


def run(folder, lines, key="key"):
    """Append lines; one is cut off by the exception."""
    with output_folder(folder / "out") as complete:
        files = Unfinished.beside(complete, key=key)
        earlier = files.done
        for line in lines:
            with (files.folder / "table.tsv").open("a") as table:
                table.write("cut off" if line is KeyboardInterrupt else line)
            if line is KeyboardInterrupt:
                raise line
            files.save(files.done + 1)
        files.copy_to(complete)
    return earlier, (folder / "out" / "table.tsv").read_text()
