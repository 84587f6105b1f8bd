"""Tiny bars of text."""

from __future__ import annotations

_BARS = "▁▂▃▄▅▆▇█"


def tiny_bar(height: float) -> str:
    """Return a character as high as ``height``, 0 to 1, says."""
    return _BARS[min(int(height * len(_BARS)), len(_BARS) - 1)]
