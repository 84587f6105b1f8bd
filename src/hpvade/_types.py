"""Names of choices and kinds of arrays that several packages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

BulkUnit = Literal["auto", "counts", "tpm", "cpm", "fpkm", "log2", "microarray"]
Preset = Literal["default", "fast", "original"]
PRESETS: tuple[str, ...] = get_args(Preset)
Space = Literal["log", "cpm"]
Split = Literal["train", "heldout"]

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = TypeVar("Array", NDArray[Any], torch.Tensor)
