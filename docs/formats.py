"""Write the page of formats from the records that the command line and the local page use too.

Run it after a change: ``python docs/formats.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._formats import BULK_FORMATS, COMPRESSIONS, REFERENCE_FORMATS, UNREADABLE

if TYPE_CHECKING:
    from hpvade._formats import Format

PAGE = Path(__file__).parent / "formats.md"

INTRODUCTION = f"""\
# Formats

hpvade recognises a file by its content; its name does not matter. It reports what it detected, assumed or
left out: `hpvade validate` lists it, and `run.json` records it.

This page is written by `docs/formats.py` from the records that the program uses.

## Bulk tables

Genes may be in rows or in columns. Text may be compressed ({", ".join(COMPRESSIONS)}), in UTF-8, UTF-16 or
Latin-1, with or without a header, and with comments (`#` or `!`) or titles above it. Where a program writes
one file a sample, pass the folder: the samples are named after their files or folders.
"""

DETAILS = """
### What is done to a table

- **Numbers.** Decimal points and decimal commas are recognised, and so are thousands separators (1,046 or
  1.046 or 1 046). What can be read in two ways is refused.
- **Columns that are no samples** are left out and named: lengths, identifiers, descriptions, places,
  statistics, and text. Columns that are doubtful are read, with a warning.
- **Names of genes.** Ensembl ids and symbols may stand side by side; the ones that the reference has are
  used. `--ignore-case` also joins names that differ in case (CD3E, Cd3e). Names that Excel turned into dates
  are counted. Transcripts without their genes are refused: sum them
  with tximport.
- **Genes that occur several times** are summed; the probes of a microarray are averaged (values given as
  `--bulk-unit microarray`, or logarithms that start well above zero).
- **Rows that count reads outside genes**, such as `__no_feature` of HTSeq and `N_unmapped` of STAR, are left
  out.
"""


def page() -> str:
    """Return the page."""
    unreadable = "\n".join(
        f"| {known.title} | {known.remedy} | {known.for_reference} |" for known in UNREADABLE.values()
    )
    return (
        f"{INTRODUCTION}\n{_table(BULK_FORMATS, 'hpvade validate reference.h5ad --bulk {}')}{DETAILS}\n"
        f"## References\n\n{_table(REFERENCE_FORMATS, 'hpvade validate {}')}\n"
        "## Files that are recognised, but not read\n\n"
        "| what it is | instead of a bulk table | instead of a reference |\n| --- | --- | --- |\n"
        f"{unreadable}\n"
    )


def _table(formats: tuple[Format, ...], command: str) -> str:
    rows = [
        f"| {known.title} | {_endings(known)} | {known.made_by} | {known.content} "
        f"| `{command.format(known.example)}` |"
        for known in formats
    ]
    head = "| format | usual ending | made by | what is read | example |\n| --- | --- | --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def _endings(known: Format) -> str:
    return ", ".join(f"`{ending}`" for ending in known.endings) or "a folder"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
