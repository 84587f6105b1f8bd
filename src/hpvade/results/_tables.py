"""Result tables: samples × cell types as TSV, signature as gzipped TSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import FileFormatError

if TYPE_CHECKING:
    import os


def write_fractions(fractions: pd.DataFrame, path: str | os.PathLike[str], *, append: bool = False) -> None:
    """Write samples × cell types; first column ``sample``, nine decimals, so rows sum to 1 within 1e-8."""
    write_samples(fractions, path, decimals=9, append=append)


def write_samples(
    table: pd.DataFrame, path: str | os.PathLike[str], *, decimals: int, append: bool = False
) -> None:
    """Write a table of samples, first column ``sample``; ``append`` adds rows to those of an earlier call."""
    with Path(path).open("a" if append else "w", encoding="utf-8", newline="") as file:
        table.to_csv(file, sep="\t", index_label="sample", float_format=f"%.{decimals}f", header=not append)


def read_fractions(path: Path) -> pd.DataFrame:
    """Read a table of fractions: first column the sample, then one column per cell type.

    Raises
    ------
    FileFormatError
        The file is missing, is not such a table, or holds something that is not a number.
    """
    try:
        header = pd.read_csv(path, sep="\t", header=None, nrows=1, dtype=str, keep_default_na=False)
        table = pd.read_csv(path, sep="\t", converters={0: str})  # 001 and NA are names
        names = list(header.iloc[0])
        if isinstance(table.index, pd.RangeIndex):  # else R's layout: no heading over the samples
            table, names = table.set_index(table.columns[0]), names[1:]
        table = table.set_axis(names, axis=1)
    except FileNotFoundError as error:
        msg = f"{path} does not exist."
        raise FileFormatError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path} is not a tab-separated table of fractions ({error})."
        raise FileFormatError(msg) from error
    text = [str(name) for name, kind in table.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if text or table.empty:
        found = (
            "it has no cell-type columns or no samples" if table.empty else f"column '{text[0]}' holds text"
        )
        msg = f"{path} is not a tab-separated table of fractions (one row per sample): {found}."
        raise FileFormatError(msg)
    return table


def write_signature(signature: pd.DataFrame, path: Path) -> None:
    """Write genes × cell types, CPM, gzipped; the same values give the same bytes."""
    signature.to_csv(path, sep="\t", float_format="%.6g", compression={"method": "gzip", "mtime": 0})
