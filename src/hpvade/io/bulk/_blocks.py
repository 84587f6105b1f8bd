"""Tables with several quantities of each sample, such as counts.S1 and abundance.S1."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hpvade._titles import UNIT_TITLES

from ._columns import choose_columns
from ._delimited import read_chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpvade._types import BulkUnit

    from ._head import Head
    from ._source import BulkSource, Table

# Parts of the names of columns, by unit; lengths are recognised to be left out.
_QUANTITIES: Final = {
    "tpm": r"abundance|tpm",
    "counts": r"(?:raw|read|expected|est)?[._ ]?counts?|num_?reads",
    "fpkm": r"fpkm|rpkm",
    "cpm": r"cpm",
    "length": r"(?:eff|effective)?[._ ]?length",
}
_UNITS: Final[tuple[BulkUnit, ...]] = ("tpm", "counts", "fpkm", "cpm")
_BETWEEN = r"[._:| -]+"


def has_blocks(head: Head) -> bool:
    """Whether a table has at least two quantities of the same samples."""
    return bool(_find_blocks(head.header))


def read_blocks(source: BulkSource) -> Table:
    """Read one quantity: what the user asked for, otherwise the first of TPM, counts, FPKM and CPM.

    Raises
    ------
    FileFormatError
        If the table does not have the unit that the user stated.
    """
    head = source.head
    blocks = _find_blocks(head.header)
    unit = source.choose_unit([unit for unit in _UNITS if unit in blocks])
    wanted = blocks[unit]
    others = {column for block in blocks.values() for column in block.values()} - set(wanted.values())
    chosen = choose_columns(source.path, head.header, head.rows, genes=source.genes, ignored=others)
    found = ", ".join(UNIT_TITLES.get(name, name) for name in blocks)
    note = f"The table has several quantities of each sample ({found}); {UNIT_TITLES[unit]} were read."
    chosen = replace(chosen, values=list(wanted.values()), names=list(wanted), notes=[note, *chosen.notes])
    return read_chosen(source.text, head, chosen, unit=unit, orientation="genes x samples")


def _find_blocks(header: Sequence[str]) -> dict[str, dict[str, int]]:
    """Find the columns of each quantity, by sample; empty if no two quantities have the same samples."""
    for pattern in (rf"(?:{{}}){_BETWEEN}(.+)", rf"(.+?){_BETWEEN}(?:{{}})"):
        blocks: dict[str, dict[str, int]] = {}
        for unit, names in _QUANTITIES.items():
            matches = [re.fullmatch(pattern.format(names), name, re.IGNORECASE) for name in header]
            found = {match[1]: j for j, match in enumerate(matches) if match}
            if found and (not blocks or found.keys() == next(iter(blocks.values())).keys()):
                blocks[unit] = found
        if len(blocks) > 1:
            return blocks
    return {}
