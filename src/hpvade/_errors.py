"""Errors that a user can fix: each states what is wrong, where, what was found, and the remedy."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class HPVADEError(Exception):
    """Base of every error that hpvade raises on purpose."""


class InputError(HPVADEError, ValueError):
    """The input cannot be used as it is; the message states the remedy. The command exits with 2."""

    n_problems = 1  # more if the message lists several


class FileFormatError(InputError):
    """A file is missing, truncated, or not in the format that was expected."""


class CountsError(InputError):
    """Values do not match their unit: negative, NaN, or not counts."""


class LabelError(InputError):
    """Cell-type labels are missing, too few, or not in the stated column."""


class GeneOverlapError(InputError):
    """Two tables share too few genes."""


class OutputError(InputError):
    """The output cannot be written, for instance because it exists."""


class NonFiniteLossError(HPVADEError):
    """A loss term became NaN or infinite; training stops immediately."""


def absent_column(
    key: str, columns: Iterable[object], *, option: str, place: str, likely: Sequence[str] = ()
) -> str:
    """Describe a missing column: which columns exist, which has a similar name, and how to select one.

    ``likely`` are columns that may be meant. All options but ``levels`` are options of the command line too.
    """
    known = [str(column) for column in columns]
    present = ", ".join(known) or "none"
    remedy = "Pass other levels." if option == "levels" else f"Select one with --{option.replace('_', '-')}."
    near = suggest(key, known)
    if likely and not near:
        near = f" These look like cell types: {', '.join(map(repr, likely))}."
    return f"{option}='{key}' is not in {place}. Columns: {present}.{near} {remedy}"


def numbered_list(messages: Sequence[str]) -> str:
    """Join messages to a numbered list; a single message stays as it is."""
    if len(messages) == 1:
        return messages[0]
    numbered = (f"{i}. {text}" for i, text in enumerate(messages, start=1))
    return "\n".join([f"{len(messages)} problems:", *numbered])


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or an empty string."""
    near = get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
