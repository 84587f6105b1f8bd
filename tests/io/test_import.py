"""Reading files must import neither a deep-learning framework nor modules that Windows lacks."""

from __future__ import annotations

import subprocess
import sys


def test_io_imports_neither_scanpy_nor_torch_nor_lightning():
    code = (
        "import sys, hpvade.io, hpvade.schema; "
        "print([m for m in ('scanpy', 'torch', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_io_imports_without_fcntl_which_windows_lacks():
    code = "import sys; sys.modules['fcntl'] = None; import hpvade.io, hpvade.schema"
    subprocess.run([sys.executable, "-c", code], check=True)
