"""A table of many blocks: stopped and gone on with, or in shards, it gives the bytes of one run."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pandas as pd
import pytest

from hpvade.jobs import _deconvolve

TABLES = ("fractions", "fractions_lower", "fractions_upper", "rna_fractions", "qc")


@pytest.fixture(scope="module")
def model(files):
    from hpvade.cli import main

    with pytest.raises(SystemExit):
        main(
            ["train", str(files.reference), "-o", str(files.folder / "blocks"), "--config", str(files.quick)]
        )
    return files.folder / "blocks"


@pytest.fixture
def bulk(files, monkeypatch):
    """Twelve samples in blocks of five."""
    monkeypatch.setattr(_deconvolve, "BLOCK", 5)
    table = pd.read_csv(files.bulk, sep="\t", index_col=0)
    table = pd.concat([table.add_suffix(f"_{i}") * (1 + 0.3 * i) for i in range(3)], axis=1)
    table.iloc[:, :12].to_csv(files.folder / "twelve.tsv", sep="\t")
    return files.folder / "twelve.tsv"


@pytest.fixture
def stopped_after_one_block(monkeypatch):
    """Return a context in which Ctrl-C comes before the second block is written."""
    write = _deconvolve.write_deconvolution

    def stop(result, folder, *, append):
        if append:
            raise KeyboardInterrupt
        write(result, folder, append=append)

    @contextmanager
    def stopped():
        with monkeypatch.context() as patch:
            patch.setattr(_deconvolve, "write_deconvolution", stop)
            yield

    return stopped


def read(folder):
    return {name: (folder / f"{name}.tsv").read_text() for name in TABLES}


def test_blocks_make_the_whole_table(hpv, model, bulk, tmp_path, monkeypatch):
    assert hpv("deconvolve", model, bulk, "-o", tmp_path / "blocks").code == 0
    monkeypatch.setattr(_deconvolve, "BLOCK", 256)
    assert hpv("deconvolve", model, bulk, "-o", tmp_path / "whole").code == 0
    for name in TABLES:
        blocks, whole = (
            pd.read_csv(tmp_path / folder / f"{name}.tsv", sep="\t", index_col=0)
            for folder in ("blocks", "whole")
        )
        pd.testing.assert_frame_equal(blocks, whole, atol=2e-4 if name == "qc" else 1e-6)


def test_a_stopped_run_goes_on(hpv, model, bulk, tmp_path, monkeypatch):
    assert hpv("deconvolve", model, bulk, "-o", tmp_path / "unbroken").code == 0
    write, answered = _deconvolve.write_deconvolution, []

    def stop_at_the_second(result, folder, **options):
        write(result, folder, **options)
        answered.append(len(result.fractions))
        if len(answered) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_deconvolve, "write_deconvolution", stop_at_the_second)
    stopped = hpv("deconvolve", model, bulk, "-o", tmp_path / "out")
    assert stopped.code == 130
    assert "Run the same command again to resume" in stopped.err
    assert not (tmp_path / "out").exists()

    result = hpv("deconvolve", model, bulk, "-o", tmp_path / "out", "--json")
    assert result.code == 0, result.err
    assert answered == [5, 5, 5, 2]  # the second block again, the first not
    assert read(tmp_path / "out") == read(tmp_path / "unbroken")
    assert len(json.loads(result.out)) == 12
    assert (
        json.loads((tmp_path / "out" / "run.json").read_text())["decisions"]["blocks_of_an_earlier_run"] == 1
    )
    assert {path.name for path in tmp_path.iterdir()} == {"out", "unbroken"}


def test_what_another_command_left_is_not_used(hpv, model, bulk, tmp_path, stopped_after_one_block):
    assert hpv("deconvolve", model, bulk, "-o", tmp_path / "unbroken", "--coverage", "0.5").code == 0
    with stopped_after_one_block():
        assert hpv("deconvolve", model, bulk, "-o", tmp_path / "out").code == 130
    assert hpv("deconvolve", model, bulk, "-o", tmp_path / "out", "--coverage", "0.5").code == 0
    assert read(tmp_path / "out") == read(tmp_path / "unbroken")


def test_a_run_goes_on_with_the_same_model_only(hpv, files, bulk, tmp_path, stopped_after_one_block):
    command = ("run", files.reference, bulk, "--config", files.quick, "--quiet", "-o")
    with stopped_after_one_block():
        assert hpv(*command, tmp_path / "out").code == 130
    (tmp_path / "content.tsv").write_text("cell_type\trna_content\nB\t1\nMonocyte\t9\nT\t1\n")
    other = ("--rna-content", tmp_path / "content.tsv")
    for folder in ("out", "unbroken"):
        assert hpv(*command, tmp_path / folder, *other).code == 0
    assert read(tmp_path / "out") == read(tmp_path / "unbroken")


def test_shards_are_parts_of_the_whole(hpv, model, bulk, tmp_path):
    assert hpv("deconvolve", model, bulk, "-o", tmp_path / "whole").code == 0
    parts = []
    for i in (1, 2):
        assert hpv("deconvolve", model, bulk, "-o", tmp_path / str(i), "--shard", f"{i}/2").code == 0
        parts.append(read(tmp_path / str(i)))
    whole = read(tmp_path / "whole")
    for name in TABLES:
        first, second = (part[name].splitlines() for part in parts)
        assert [*first, *second[1:]] == whole[name].splitlines()


def test_a_bad_sample_in_the_last_block_is_told_before_training(hpv, files, bulk, tmp_path):
    table = pd.read_csv(bulk, sep="\t", index_col=0)
    table.iloc[5, 11] = -1
    table.to_csv(tmp_path / "bulk.tsv", sep="\t")
    result = hpv(
        "run", files.reference, tmp_path / "bulk.tsv", "-o", tmp_path / "out", "--config", files.quick
    )
    assert result.code == 2
    assert "is negative" in result.err
    assert "Training the model …" not in result.err


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "1/2/3"])
def test_a_shard_that_is_none(hpv, model, bulk, tmp_path, shard):
    result = hpv("deconvolve", model, bulk, "-o", tmp_path / "out", "--shard", shard)
    assert result.code == 2
    assert "3/10" in result.err


def test_more_shards_than_blocks(hpv, model, bulk, tmp_path):
    result = hpv("deconvolve", model, bulk, "-o", tmp_path / "out", "--shard", "1/4")
    assert result.code == 2
    assert "allow at most 3 shards" in result.err
