"""Compiled loops share the threads that torch was given."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numba
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def threads_of_torch() -> Iterator[None]:
    """Let compiled parallel loops use as many processor threads as torch may."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(torch.get_num_threads(), before))
    try:
        yield
    finally:
        numba.set_num_threads(before)
