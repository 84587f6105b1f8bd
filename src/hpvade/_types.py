"""Types that several packages share: names of choices, and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

BulkUnit = Literal["auto", "counts", "tpm", "cpm", "fpkm", "log2", "ln", "log10", "microarray"]
Preset = Literal["default", "fast", "original"]
PRESETS: tuple[str, ...] = get_args(Preset)
OLD_PRESETS = {"seed": "original"}  # earlier names
Space = Literal["log", "cpm"]
Split = Literal["train", "heldout"]

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = TypeVar("Array", NDArray[Any], torch.Tensor)
