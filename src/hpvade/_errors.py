"""Errors that a user can mend: each says what, where, what was found, and the remedy."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class HPVADEError(Exception):
    """Base of every error that hpvade raises on purpose."""


class InputError(HPVADEError, ValueError):
    """The input cannot be used as it is; the message names the remedy. The command exits with 2."""


class FileFormatError(InputError):
    """A file is missing, truncated, or not in the format that was expected."""


class CountsError(InputError):
    """Values are not what their unit promises: negative, NaN, not counts."""


class LabelError(InputError):
    """Cell-type labels are missing, too few, or not where they were said to be."""


class GeneOverlapError(InputError):
    """Too few genes are shared between two tables."""


class OutputError(InputError):
    """The output cannot be written: it exists, or the place refuses it."""


class NonFiniteLossError(HPVADEError):
    """A loss term became NaN or infinite; training stops at once."""


def absent_column(key: str, columns: Iterable[object], *, option: str, place: str) -> str:
    """Say that a column is not where it was said to be, what is there, and what was perhaps meant."""
    known = [str(column) for column in columns]
    there = ", ".join(known) or "none at all"
    flag = f"--{option.replace('_', '-')}"
    return f"{option}='{key}' is not in {place}. Columns: {there}.{suggest(key, known)} Name one with {flag}."


def numbered_list(messages: Sequence[str]) -> str:
    """Return one message as it is, several as a numbered list."""
    if len(messages) == 1:
        return messages[0]
    numbered = (f"{i}. {text}" for i, text in enumerate(messages, start=1))
    return "\n".join([f"{len(messages)} problems:", *numbered])


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or an empty string."""
    near = get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
