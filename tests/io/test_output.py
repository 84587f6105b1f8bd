"""Outputs are complete or absent, and nothing else is touched."""

from __future__ import annotations

import errno
import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpvade._errors import OutputError
from hpvade.io import output_dir, output_file, sha256

OWN = {"run.json", "qc.tsv", "model"}


def output_folder(path, **options):
    """An output folder that belongs to a program that writes the files in `OWN`."""
    return output_dir(path, own_files=OWN.intersection, **options)


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_and_fail(output, *, error):
    with output as temporary:
        (temporary / "part" if temporary.is_dir() else temporary).write_text("partial")
        raise error


def test_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "new" / "out.tsv.gz"
    with output_file(path) as temporary:
        assert temporary.name == "out.tsv.gz"  # so that writers see the suffix
        temporary.write_text("done")
        assert not path.exists()
    assert path.read_text() == "done"
    assert everything(tmp_path) == ["new", "new/out.tsv.gz"]


def test_dir_appears_only_at_the_end(tmp_path):
    path = tmp_path / "out"
    with output_folder(path) as temporary:
        (temporary / "run.json").write_text("{}")
        assert not path.exists()
    assert everything(tmp_path) == ["out", "out/run.json"]


@pytest.mark.parametrize("opened", [output_file, output_folder])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, FileNotFoundError])
def test_any_exception_removes_what_is_partial(tmp_path, opened, error):
    with pytest.raises(error):
        write_and_fail(opened(tmp_path / "a" / "b" / "out"), error=error())
    assert everything(tmp_path) == []


@pytest.mark.parametrize("opened", [output_file, output_folder])
@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "permission denied")]
)
def test_full_disk_or_no_permission_is_one_sentence(tmp_path, opened, number, reason):
    with pytest.raises(OutputError, match=reason):
        write_and_fail(opened(tmp_path / "out"), error=OSError(number, "simulated"))
    assert everything(tmp_path) == []


@pytest.mark.parametrize("opened", [output_file, output_folder])
def test_a_folder_without_permission_is_refused_immediately(tmp_path, opened, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "simulated", str(tmp_path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="permission denied"), opened(tmp_path / "new" / "out"):
        pytest.fail("no work may begin")
    assert everything(tmp_path) == []


def test_unreadable_input_is_not_blamed_on_the_output(tmp_path):
    with pytest.raises(PermissionError), output_file(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "simulated", "/elsewhere/input.tsv")


@pytest.mark.parametrize("opened", [output_file, output_folder])
def test_path_below_a_file(tmp_path, opened):
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputError, match="is a file, not a folder"), opened(tmp_path / "file" / "a" / "out"):
        pytest.fail("no work may begin")


def test_existing_output_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "run.json").write_text("old")
    for opened in (output_file(tmp_path / "file"), output_folder(tmp_path / "dir")):
        with pytest.raises(OutputError, match=r"exists\. Pass --force to replace it"), opened:
            pytest.fail("no work may begin")
    assert (tmp_path / "file").read_text() == "old"


def test_force_replaces_a_file_and_an_earlier_output(tmp_path):
    (tmp_path / "file").write_text("old")
    with output_file(tmp_path / "file", force=True) as temporary:
        temporary.write_text("new")
        assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text("old")
    (out / "qc.tsv").write_text("old")
    with output_folder(out, force=True) as temporary:
        (temporary / "run.json").write_text("new")
        assert (out / "run.json").read_text() == "old"
    assert everything(tmp_path) == ["file", "out", "out/run.json"]
    assert (out / "run.json").read_text() == "new"


def test_failure_with_force_keeps_the_older_output(tmp_path):
    (tmp_path / "run.json").write_text("old")
    with pytest.raises(RuntimeError), output_folder(tmp_path, force=True):
        raise RuntimeError
    assert (tmp_path / "run.json").read_text() == "old"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("others", [[], ["thesis.tex"]])
def test_files_are_added_to_a_folder_of_other_things(tmp_path, monkeypatch, force, others):
    """Workflow managers create the output folder, and ``-o .`` is the folder that one is in."""
    for name in others:
        (tmp_path / name).write_text("precious")
    monkeypatch.chdir(tmp_path)
    with output_folder(Path(), force=force, inputs=[tmp_path / name for name in others]) as temporary:
        (temporary / "run.json").write_text("new")
        assert not (tmp_path / "run.json").exists()
    assert everything(tmp_path) == sorted([*others, "run.json"])


def test_a_folder_of_other_things_stays_as_it_was_if_a_run_fails(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RuntimeError):
        write_and_fail(output_folder(tmp_path), error=RuntimeError)
    assert everything(tmp_path) == ["thesis.tex"]


def test_file_and_folder_are_not_mixed_up(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutputError, match="is a file"), output_folder(tmp_path / "file", force=True):
        pass
    with pytest.raises(OutputError, match="is a folder"), output_file(tmp_path, force=True):
        pass


def test_sha256_of_file_and_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b").write_bytes(b"x")
    first = sha256(tmp_path)
    assert first == sha256(tmp_path)
    (tmp_path / "deep" / "b").rename(tmp_path / "deep" / "c")
    assert sha256(tmp_path) != first


def test_force_never_replaces_another_file_among_our_own(tmp_path):
    (tmp_path / "out" / "model").mkdir(parents=True)
    (tmp_path / "out" / "run.json").write_text("ours")
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match=r"thesis\.tex"), output_folder(tmp_path / "out", force=True):
        pytest.fail("no work may begin")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize("inside", [".", "model"])
def test_an_output_that_contains_an_input_is_refused(tmp_path, inside):
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    with (
        pytest.raises(OutputError, match=r"contains the input|inside the input"),
        output_folder(out, force=True, inputs=[out / inside]),
    ):
        pytest.fail("no work may begin")
    assert (out / "model").is_dir()


def test_a_name_that_the_system_refuses(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"), output_folder(tmp_path / ("x" * 300)):
        pytest.fail("no work may begin")


def test_a_parent_in_which_no_folder_can_be_created():
    with pytest.raises(OutputError, match="cannot be written"), output_folder("/proc/hpvade"):
        pytest.fail("no work may begin")


# what a kill, another run or a full disk does


def killed(call, *, at, tmp_path):
    """Run Python code in a process that is killed when it calls a function."""
    code = f"""
import os, signal, sys
from pathlib import Path
import hpvade.io._output as output
def stop(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)
{at}
{call}
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert ended.returncode == -signal.SIGKILL


WRITE = """
with output.output_dir("out", own_files={"run.json", "qc.tsv"}.intersection, force=FORCE) as folder:
    for name in ("qc.tsv", "run.json"):
        (folder / name).write_text("first")
"""
FIRST_RENAME_ONLY = """
rename, done = Path.replace, []
def replace(self, target):
    if done: stop()
    done.append(target)
    return rename(self, target)
Path.replace = replace
"""


def write_again(path, **options):
    with output_dir(path, own_files={"run.json", "qc.tsv"}.intersection, **options) as folder:
        for name in ("qc.tsv", "run.json"):
            (folder / name).write_text("second")


@pytest.mark.parametrize("at", ["Path.replace = stop", "output.shutil.rmtree = stop"])
def test_what_a_killed_run_left_is_removed(tmp_path, at):
    killed(WRITE.replace("FORCE", "False"), at=at, tmp_path=tmp_path)
    finished = (tmp_path / "out").exists()
    assert finished == ("rmtree" in at)
    write_again(tmp_path / "out", force=finished)
    assert everything(tmp_path) == ["out", "out/qc.tsv", "out/run.json"]


def test_a_folder_of_other_things_that_got_half_of_an_output(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    killed(WRITE.replace("FORCE", "False"), at=FIRST_RENAME_ONLY, tmp_path=tmp_path)
    assert (tmp_path / "out" / "qc.tsv").exists()
    assert not (tmp_path / "out" / "run.json").exists()
    write_again(tmp_path / "out")
    assert everything(tmp_path / "out") == ["qc.tsv", "run.json", "thesis.tex"]
    assert (tmp_path / "out" / "qc.tsv").read_text() == "second"


def test_an_older_output_survives_a_kill_during_its_replacement(tmp_path):
    write_again(tmp_path / "out")
    killed(WRITE.replace("FORCE", "True"), at=FIRST_RENAME_ONLY, tmp_path=tmp_path)
    assert not (tmp_path / "out").exists()
    with pytest.raises(OutputError, match="exists"):
        write_again(tmp_path / "out")
    assert everything(tmp_path) == ["out", "out/qc.tsv", "out/run.json"]
    assert (tmp_path / "out" / "run.json").read_text() == "second"


def write_while_another_program_does(out):
    with output_folder(out) as folder:
        (folder / "run.json").write_text("late")
        out.mkdir()
        (out / "run.json").write_text("early")


def test_an_output_that_appeared_during_the_run_stays(tmp_path):
    with pytest.raises(OutputError, match=r"results are in .*out-2"):
        write_while_another_program_does(tmp_path / "out")
    assert (tmp_path / "out" / "run.json").read_text() == "early"
    assert (tmp_path / "out-2" / "run.json").read_text() == "late"
    assert everything(tmp_path) == ["out", "out-2", "out-2/run.json", "out/run.json"]


def test_two_runs_at_once(tmp_path):
    with output_file(tmp_path / "out") as temporary:
        temporary.write_text("first")
        with pytest.raises(OutputError, match="Another run is writing"), output_file(tmp_path / "out"):
            pytest.fail("no work may begin")
    assert (tmp_path / "out").read_text() == "first"
    assert everything(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127])
def test_long_names(tmp_path, name):
    with output_file(tmp_path / name) as temporary:
        temporary.write_text("done")
    assert everything(tmp_path) == [name]


@pytest.mark.parametrize("error", [OSError("Can't write data (No space left on device)"), RuntimeError("x")])
def test_full_disk_in_a_library_that_gives_no_number(tmp_path, error):
    expected = OutputError if "space" in str(error) else RuntimeError
    with pytest.raises(expected, match=r"disk is full|x"), output_file(tmp_path / "out"):
        raise error


@pytest.mark.parametrize(
    "names", [["../victim", "thesis.tex", "qc.tsv"], ["/etc/passwd"], 5, "x", {"a": 1}, [[1]]]
)
def test_a_journal_of_others_deletes_nothing_but_our_files(tmp_path, names):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "victim").mkdir()
    (out / "thesis.tex").write_text("precious")
    (tmp_path / ".out.hpvade").mkdir()
    (tmp_path / ".out.hpvade" / "moved.json").write_text(json.dumps(names))
    write_again(out)
    assert everything(tmp_path) == ["out", "out/qc.tsv", "out/run.json", "out/thesis.tex", "victim"]


def stop_after(n_renames, monkeypatch):
    rename, done = Path.replace, []

    def replace(self, target):
        done.append(target)
        if len(done) == n_renames + 1:
            raise SystemExit(143)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)


def test_a_signal_during_the_move_restores_what_was_there(tmp_path, monkeypatch):
    write_again(tmp_path / "out")
    (tmp_path / "other").mkdir()
    for name, n_renames in (("out", 1), ("other", 1)):
        with monkeypatch.context() as patch:
            stop_after(n_renames, patch)
            with pytest.raises(SystemExit):
                write_again(tmp_path / name, force=True)
    assert everything(tmp_path) == ["other", "out", "out/qc.tsv", "out/run.json"]


def test_force_does_not_delete_a_file_that_appeared_during_the_run(tmp_path):
    write_again(tmp_path / "out")

    def write_beside():
        with output_folder(tmp_path / "out", force=True) as folder:
            (folder / "run.json").write_text("new")
            (tmp_path / "out" / "thesis.tex").write_text("precious")

    with pytest.raises(OutputError, match="out-2"):
        write_beside()
    assert (tmp_path / "out" / "thesis.tex").read_text() == "precious"
    assert (tmp_path / "out-2" / "run.json").read_text() == "new"


def test_a_file_that_appeared_in_an_empty_folder_stays(tmp_path):
    (tmp_path / "out").mkdir()

    def write_beside():
        with output_folder(tmp_path / "out") as folder:
            (folder / "run.json").write_text("new")
            (tmp_path / "out" / "run.json").write_text("precious")

    with pytest.raises(OutputError, match="out-2"):
        write_beside()
    assert (tmp_path / "out" / "run.json").read_text() == "precious"


def test_places_that_cannot_be_an_output(tmp_path, monkeypatch):
    store = tmp_path / "reference.zarr"
    store.mkdir()
    for place, options in (("/", {}), (store, {"inputs": [store]}), (store / "new", {"inputs": [store]})):
        with pytest.raises(OutputError, match=r"root of the file system|inside the input"):
            write_again(place, **options)
    write_again(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(OutputError, match="contains the current folder"):
        write_again(Path(), force=True)
