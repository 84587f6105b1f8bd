"""Seconds, as people say them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Say a time in its two largest units: ``3 min 20 s``."""
    rest = round(seconds)
    words: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        if number or (unit == "s" and not words):
            words.append(f"{number} {unit}")
        elif words:
            break
        if len(words) == 2:
            break
    return " ".join(words)
