"""Kills commands at random moments, repeats them, and says what was lost, left or changed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hpvade

QUICK = """\
preset: fast
train: {max_epochs: 2}
simulate: {n_mixtures: 100, n_heldout: 40, n_cells: 20}
deconvolve: {n_calibration: 20}
"""
COMPARED = ("fractions.tsv", "qc.tsv", "signature.tsv.gz", "history.csv")  # where a command writes them
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass
class Commands:
    """Commands on small inputs, and the outputs of unbroken runs of them."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        cells = hpvade.testing.tiny_reference(n_genes=120)
        cells.write_h5ad(self.folder / "reference.h5ad")
        hpvade.testing.tiny_bulk(cells).to_df().T.to_csv(self.folder / "bulk.tsv", sep="\t")
        (self.folder / "quick.yaml").write_text(QUICK)
        self.seconds = {}
        for name in ("train", "run", "deconvolve"):
            began = time.monotonic()
            ended = subprocess.run(
                self.command(name, self.folder / f"whole-{name}"), capture_output=True, check=False
            )
            assert ended.returncode == 0, ended.stderr
            self.seconds[name] = time.monotonic() - began

    def command(self, name: str, output: Path) -> list[str]:
        """Return a command that writes to an output."""
        reference, bulk = self.folder / "reference.h5ad", self.folder / "bulk.tsv"
        config = ["--config", self.folder / "quick.yaml"]
        inputs = {
            "train": [reference, *config],
            "run": [reference, bulk, *config],
            "deconvolve": [self.folder / "whole-train", bulk],
        }
        command = [sys.executable, "-m", "hpvade", name, *inputs[name], "-o", output, "--threads", "1"]
        return [str(part) for part in command]

    def files(self, output: Path) -> set[str]:
        """List the files of an output."""
        return {path.relative_to(output).as_posix() for path in output.rglob("*")}


def kill(commands: Commands, seed: int, place: Path) -> tuple[str, str]:
    """Kill one command once, and repeat it; returns what was done, and what is wrong."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(["train", "run", "deconvolve"]))
    number = SIGNALS[int(rng.integers(0, 3))]
    after = float(rng.uniform(0.05, 1.0)) * commands.seconds[name]
    output, whole = place / "out", commands.folder / f"whole-{name}"
    what = f"{name}, {signal.Signals(number).name} after {after:.1f} s"
    with subprocess.Popen(commands.command(name, output), stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after)
        process.send_signal(number)
        said = process.stderr.read()
        code = process.wait(120)
    what += f", exit {code}"
    wrong = ["traceback"] if "Traceback" in said else []
    if output.exists() and commands.files(output) != commands.files(whole):
        wrong.append("the output is incomplete")
    stopped = name == "train" and number == signal.SIGINT and code == 130  # the best model so far is kept
    if number != signal.SIGKILL and not stopped:
        beside = [path for path in place.iterdir() if path != output]
        wrong += [f"left {path.name}" for path in beside if not (path / "unfinished").exists()]
    if not output.exists() or stopped:
        again = subprocess.run(commands.command(name, output), capture_output=True, text=True, check=False)
        if again.returncode != 0:
            return what, f"the same command fails: {again.stderr.strip().splitlines()[-1]}"
    wrong += [f"left {path.name} after the next run" for path in place.iterdir() if path != output]
    present = [file for file in COMPARED if (whole / file).exists()]
    wrong += [
        f"{file} differs" for file in present if (whole / file).read_bytes() != (output / file).read_bytes()
    ]
    return what, "; ".join(wrong)


def kill_often(commands: Commands, folder: Path, seeds: range) -> list[str]:
    """Kill a command for each seed; returns the faults, and prints everything."""
    faults = []
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        what, wrong = kill(commands, seed, place)
        sys.stdout.write(f"{seed}: {what}{': ' if wrong else ''}{wrong}\n")
        sys.stdout.flush()
        faults += [f"{seed}: {what}: {wrong}"] if wrong else []
        shutil.rmtree(place)
    return faults


if __name__ == "__main__":
    first, n = int(sys.argv[1]), int(sys.argv[2])
    where = Path(sys.argv[3])
    found = kill_often(Commands(where / "commands"), where, range(first, first + n))
    sys.stdout.write("\n".join([f"{len(found)} faults", *found]) + "\n")
    sys.exit(bool(found))
