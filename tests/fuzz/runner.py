"""Runs cases, each in a forked process with limits, and says what went wrong."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NamedTuple

import numba
import pandas as pd

from hpvade.cli import main

from .mutations import Case, Inputs, case

MAX_SECONDS, MAX_MEMORY = 60, 4 * 1024**3
_SAME = 1e-3  # largest difference of a fraction that counts as none


class Outcome(NamedTuple):
    """How a case ended: ``fault`` is empty, or what is wrong with that."""

    code: int
    fault: str
    said: str
    seconds: float


def prepare(folder: Path) -> Inputs:
    """Make good inputs and a model, and load in this process all that forked ones need."""
    numba.config.THREADING_LAYER = "workqueue"  # OpenMP ends forked processes
    inputs = Inputs(folder)
    quick = ["--config", str(folder / "quick.yaml"), "--threads", "1", "-q"]
    for command in (
        ["train", str(inputs.reference), "-o", str(inputs.model), *quick],
        [
            "deconvolve",
            str(inputs.model),
            str(inputs.bulk),
            "-o",
            str(folder / "clean"),
            "--threads",
            "1",
            "-q",
        ],
        ["preprocess", str(inputs.reference), "-o", str(folder / "p.h5ad"), "-q"],
        ["validate", str(folder / "reference.v3.zarr"), "--bulk", str(inputs.bulk), "-q"],
    ):
        child = os.fork()  # numba's threads must not start here: forked processes cannot use them
        if child == 0:
            _child(Case("", command), folder / "said")
        _, status = os.waitpid(child, 0)
        assert status == 0, (folder / "said").read_text()
    return inputs


def run(kind: str, seed: int, inputs: Inputs) -> tuple[Case, Outcome]:
    """Make and run one case."""
    with tempfile.TemporaryDirectory() as place:
        made = case(kind, seed, inputs, Path(place))
        said_in = Path(place, "said")
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(made, said_in)
        _, status = os.waitpid(child, 0)
        seconds = time.monotonic() - began
        said = said_in.read_text(errors="replace") if said_in.exists() else ""
        code = os.waitstatus_to_exitcode(status)
        fault = _fault(code, said)
        if code == 0 and not fault and made.output is not None:
            fault = _silent_change(made.output, inputs, said)
        left = sorted(entry.name for entry in Path(place).iterdir() if entry.name.endswith(".hpvade"))
        if code != 0 and made.output is not None and (made.output.exists() or left):
            fault = fault or f"left {left or made.output.name}"
        return made, Outcome(code, fault, said, seconds)


def _child(made: Case, said_in: Path) -> None:
    """Run the command with limits; never returns."""
    try:
        handle = os.open(said_in, os.O_WRONLY | os.O_CREAT)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout = sys.stderr = os.fdopen(2, "w", errors="replace")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        grown = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (grown + MAX_MEMORY, grown + MAX_MEMORY))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(MAX_SECONDS)
        main(made.arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - reported as a fault
        traceback.print_exc()
        code = 70
    sys.stderr.flush()
    os._exit(code)


def _fault(code: int, said: str) -> str:
    if code == -signal.SIGALRM:
        return f"hangs over {MAX_SECONDS} s"
    if code < 0:
        return f"crash: {signal.Signals(-code).name}"
    if "Traceback (most recent call last)" in said:
        return "traceback: " + said.strip().splitlines()[-1][:200]
    if code not in {0, 2}:
        return f"exit {code}"
    return "no message" if code == 2 and not said.strip() else ""


def _silent_change(output: Path, inputs: Inputs, said: str) -> str:
    """Compare the answer with that of the good inputs; a change must be noted or flagged."""
    clean = pd.read_csv(inputs.folder / "clean" / "fractions.tsv", sep="\t", index_col=0)
    found = pd.read_csv(output / "fractions.tsv", sep="\t", index_col=0)
    if found.isna().any(axis=None):
        return "fractions are missing"
    if "Note:" in said or pd.read_csv(output / "qc.tsv", sep="\t")["flags"].notna().any():
        return ""
    if found.shape != clean.shape or list(found.index.astype(str)) != list(clean.index.astype(str)):
        return ""  # other samples, as the table says
    changed = (found.to_numpy() - clean.to_numpy()).__abs__().max()
    return f"silent change of {changed:.3f}" if changed > 0.05 else ""
