"""What a user knows of the content that the reference lacks: other profiles, and measured purity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError, InputError
from hpvade.deconvolve import check_purity
from hpvade.io import read_text_table
from hpvade.world import World, read_world

if TYPE_CHECKING:
    from collections.abc import Collection

NO_WORLD = "none"
_NOT_GIVEN = ("", "na", "nan", "n/a")


def load_world(choice: str | None) -> World | None:
    """Return the profiles that ``--world`` names: those of a table, or none; None: those of the package."""
    if choice is None:
        return None
    if choice == NO_WORLD:
        return World.empty()
    if not Path(choice).is_file():
        msg = f"The table of profiles {choice} does not exist. Pass a file, or 'none' for no profiles."
        raise InputError(msg)
    return read_world(Path(choice))


def read_purity(path: Path, *, samples: Collection[str]) -> pd.Series:
    """Read the share of cells that are known to be outside the reference.

    Parameters
    ----------
    path
        TSV or CSV with a header: samples in the first column, shares from 0 to below 1 in the second.
    samples
        Samples of the bulk table; those that are not listed are estimated.

    Returns
    -------
    Sample → share.

    Raises
    ------
    FileFormatError
        The file is not such a table.
    InputError
        A share is out of range, or a sample is listed twice or is not in the bulk table.
    """
    needed = "It needs a header, samples in the first column and shares in the second."
    try:
        table = read_text_table(path)
        samples_column, shares_column = table.columns[:2]
        text = table.set_index(samples_column)[shares_column].str.strip()
        share = pd.to_numeric(text[~text.str.lower().isin(_NOT_GIVEN)], errors="coerce")
    except (OSError, ValueError) as error:
        msg = f"The table of purity {path} cannot be read. {needed}"
        raise FileFormatError(msg) from error
    if samples_column in set(map(str, samples)):
        msg = f"The table of purity {path} has no header: its first line is a sample. {needed}"
        raise FileFormatError(msg)
    if share.isna().any():
        sample = share.index[share.isna()][0]
        msg = f"The purity of sample '{sample}' in {path} is '{text[sample]}', which is not a number."
        raise FileFormatError(msg)
    if share.empty:
        msg = f"The table of purity {path} lists no share. {needed}"
        raise FileFormatError(msg)
    check_purity(share)
    if absent := sorted(set(share.index) - set(map(str, samples))):
        msg = (
            f"{len(absent)} of {len(share)} samples in {path} are not in the bulk table, for example "
            f"'{absent[0]}'. Use the same sample names."
        )
        raise InputError(msg)
    return share
