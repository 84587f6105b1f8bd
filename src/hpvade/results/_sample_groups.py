"""The group of each sample: a table that the user wrote, and the copy of it in the output folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade._errors import FileFormatError, InputError
from hpvade._warnings import DataWarning, warn
from hpvade.io import output_file, read_text_table
from hpvade.metrics import check_groups
from hpvade.results._files import GROUPS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas as pd

_GROUP = "group"


def read_groups(path: Path, *, samples: Collection[str]) -> pd.Series:
    """Read a TSV or CSV table with samples in the first column and their groups in the second.

    Parameters
    ----------
    path
        The file. If it has several further columns, the one named ``group`` is used.
    samples
        Known samples. Others in the file are left out, with a `DataWarning`.

    Returns
    -------
    Sample → group, text; samples without a group are left out.

    Raises
    ------
    FileFormatError
        The file is not such a table.
    InputError
        The column of the groups is ambiguous, a sample is listed twice, or no known sample is listed.
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
            f"The groups file {path} must have samples in its first column and their groups in the second; "
            f"if it has more columns, name the one with the groups '{_GROUP}'. Columns: {found}."
        )
        raise InputError(msg)
    if table.columns[0] in samples:
        msg = f"The groups file {path} has no header: its first line is a sample. Add a line 'sample, group'."
        raise InputError(msg)
    groups = table.set_index(table.columns[0])[_GROUP if _GROUP in columns else columns[0]]
    groups = groups[groups.str.strip() != ""].rename(_GROUP).rename_axis("sample")
    if groups.index.has_duplicates:
        twice = groups.index[groups.index.duplicated()][0]
        msg = f"The groups file {path} lists the sample '{twice}' twice. List each sample once."
        raise InputError(msg)
    known = groups.index.isin(list(samples))
    if not known.any():
        theirs, ours = (", ".join(map(str, list(names)[:3])) for names in (groups.index, samples))
        msg = (
            f"The groups file {path} lists no sample of the bulk table. It has {theirs}, …, the bulk table "
            f"has {ours}, … Use the same sample names."
        )
        raise InputError(msg)
    if not known.all():
        absent = list(groups.index[~known])
        msg = (
            f"{len(absent)} samples of the groups file are not in the bulk table, for example '{absent[0]}'."
        )
        warn(msg, DataWarning)
    if n_without := len(samples) - int(known.sum()):
        warn(f"{n_without} of {len(samples)} samples have no group and are not compared.", DataWarning)
    return groups[known]


def keep_groups(path: Path, folder: Path, *, samples: Collection[str]) -> pd.Series:
    """Read and check a table of groups, and keep a copy with the results for a report made later.

    Parameters and returns are those of `read_groups`; ``folder`` is that of the results.

    Raises
    ------
    InputError
        The table cannot be used, or its groups cannot be compared.
    """
    groups = read_groups(path, samples=samples)
    check_groups(groups)
    with output_file(folder / GROUPS, force=True) as file:
        groups.to_csv(file, sep="\t")
    return groups
