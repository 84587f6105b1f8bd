"""Small tables that a user wrote, such as labels and label maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ._compression import open_text

if TYPE_CHECKING:
    from pathlib import Path


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a small table that a user wrote, all columns as text; separated by tabs, commas or semicolons.

    Raises
    ------
    OSError, ValueError
        If it cannot be opened, or is not a table.
    """
    with open_text(path) as handle:
        separator = max("\t,;", key=handle.readline().count)
        handle.seek(0)
        return pd.read_csv(handle, sep=separator, dtype=str, keep_default_na=False)
