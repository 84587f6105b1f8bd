"""SIGTERM and SIGHUP end a command as Ctrl-C does: nothing is left, and the same command succeeds."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")


def start(*arguments):
    command = [sys.executable, "-m", "hpvade", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize(
    ("stage", "number"),
    [("Reading", signal.SIGTERM), ("Preparing", signal.SIGHUP), ("epoch 1/", signal.SIGTERM)],
)
def test_nothing_is_left(files, tmp_path, number, stage):
    options = ("--preset", "fast", "--max-epochs", "2000")
    with start("run", files.reference, files.bulk, "-o", tmp_path / "out", *options) as process:
        for line in process.stderr:
            if line.startswith(stage):
                break
        time.sleep(0.05)
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(60) == 128 + number, said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_of_one_output_is_refused_from_its_start(files, hpv, tmp_path):
    with start("run", files.reference, files.bulk, "-o", tmp_path / "out", "--max-epochs", "2000") as process:
        for line in process.stderr:
            if line.startswith("Preparing"):
                break
        for command in ("run", "train"):
            inputs = [files.reference, files.bulk] if command == "run" else [files.reference]
            second = hpv(command, *inputs, "-o", tmp_path / "out", "--config", files.quick)
            assert second.code == 2
            assert "Another run is writing" in second.err
            assert second.err.count("\n") == 1
        process.kill()
    assert hpv("run", files.reference, files.bulk, "-o", tmp_path / "out", "--config", files.quick).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_any_number_of_threads_gives_the_same_bytes(files, hpv, tmp_path):
    outputs = []
    for threads in (1, 3):
        out = tmp_path / str(threads)
        command = ("run", files.reference, files.bulk, "-o", out, "--config", files.quick)
        assert hpv(*command, "--threads", threads).code == 0
        outputs.append(
            {name: (out / name).read_bytes() for name in ("fractions.tsv", "qc.tsv", "signature.tsv.gz")}
        )
    assert outputs[0] == outputs[1]
