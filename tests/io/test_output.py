"""Outputs are complete or absent, and nothing else is touched."""

from __future__ import annotations

import errno
import hashlib
import tempfile
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
    def refuse(**_kwargs):
        raise PermissionError(errno.EACCES, "simulated", str(tmp_path))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
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
        pytest.raises(OutputError, match="contains the input"),
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
