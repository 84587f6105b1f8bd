"""The group of each sample: a table that the user wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade._errors import FileFormatError, InputError
from hpvade._warnings import DataWarning, warn
from hpvade.io import read_text_table

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas as pd

_GROUP = "group"


def read_groups(path: Path, *, samples: Collection[str]) -> pd.Series:
    """Read a TSV or CSV table with samples in the first column and their group in the second.

    Parameters
    ----------
    path
        The file. Of several further columns, the one named ``group`` is taken.
    samples
        Samples that are known. Others in the file are left out, with a `DataWarning`.

    Returns
    -------
    Sample → group, text; samples without a group are left out.

    Raises
    ------
    FileFormatError
        It is not such a table.
    InputError
        It does not say which column holds groups, names a sample twice, or holds no known sample.
    """
    try:
        table = read_text_table(path)
    except (OSError, ValueError) as error:
        msg = f"The groups file {path} cannot be read ({error})."
        raise FileFormatError(msg) from error
    columns = list(table.columns[1:])
    if _GROUP not in columns and len(columns) != 1:
        found = ", ".join(map(str, table.columns))
        msg = (
            f"The groups file {path} must hold samples in its first column and their group in the second; of "
            f"several further columns one must be called '{_GROUP}'. Columns: {found}."
        )
        raise InputError(msg)
    if table.columns[0] in samples:
        msg = f"The first line of the groups file {path} names a sample. Put a line 'sample, group' above it."
        raise InputError(msg)
    groups = table.set_index(table.columns[0])[_GROUP if _GROUP in columns else columns[0]]
    groups = groups[groups.str.strip() != ""].rename(_GROUP).rename_axis("sample")
    if groups.index.has_duplicates:
        twice = groups.index[groups.index.duplicated()][0]
        msg = f"The groups file {path} names the sample '{twice}' twice. Give each sample one group."
        raise InputError(msg)
    known = groups.index.isin(list(samples))
    if not known.any():
        theirs, ours = (", ".join(map(str, list(names)[:3])) for names in (groups.index, samples))
        msg = f"The groups file {path} names no sample of the bulk table. It has {theirs}, …, that {ours}, …"
        raise InputError(msg)
    if not known.all():
        absent = list(groups.index[~known])
        msg = f"{len(absent)} samples of the groups file are not in the bulk table, the first: '{absent[0]}'."
        warn(msg, DataWarning)
    if n_without := len(samples) - int(known.sum()):
        warn(f"{n_without} of {len(samples)} samples have no group and are not compared.", DataWarning)
    return groups[known]
