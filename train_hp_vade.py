"""The short way to train: ``python train_hp_vade.py -y`` trains on the embedded data.

A thin door to the code behind ``hpvade train``. It writes ``hp_vade_training/`` in the current folder
(``history.csv``, ``model/``); without ``-y`` it shows the settings and asks first.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"

if __name__ == "__main__":
    if importlib.util.find_spec("hpvade") is None:
        if not VENV_PYTHON.exists():
            sys.exit("hpvade is not installed in this Python. Run scripts/demo once; it makes .venv.")
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])  # the project's own environment has it

    from hpvade.cli import train_embedded

    train_embedded()
