"""What a user knows of the content that the reference lacks: other profiles, and measured purity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._errors import FileFormatError, InputError
from hpvade.io import read_text_table
from hpvade.world import World, read_world, shipped_world

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

NO_WORLD = "none"


def load_world(choice: str | None) -> World:
    """Return the profiles that ``--world`` names: a table, ``none`` of them, or those of the package."""
    if choice is None:
        return shipped_world()
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
    try:
        table = read_text_table(path)
        share = table.set_index(table.columns[0]).iloc[:, 0].astype(float)
    except (OSError, ValueError, IndexError) as error:
        msg = (
            f"The table of purity {path} cannot be read ({error}). It needs a header, samples in the first "
            "column and shares in the second."
        )
        raise FileFormatError(msg) from error
    share.index = share.index.astype(str)
    if not share.between(0, 1, inclusive="left").all():
        wrong = share.index[~share.between(0, 1, inclusive="left")][0]
        msg = f"The purity of sample '{wrong}' is {share[wrong]:g}. It must be at least 0 and below 1."
        raise InputError(msg)
    if share.index.has_duplicates:
        twice = share.index[share.index.duplicated()][0]
        msg = f"The table of purity {path} lists the sample '{twice}' twice. List each sample once."
        raise InputError(msg)
    if absent := sorted(set(share.index) - set(map(str, samples))):
        msg = (
            f"{len(absent)} of {len(share)} samples in {path} are not in the bulk table, for example "
            f"'{absent[0]}'. Use the same sample names."
        )
        raise InputError(msg)
    return share
