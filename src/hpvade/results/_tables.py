"""The tables of an output folder: samples × cell types, quality, and the signature."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pandas as pd

from hpvade._errors import FileFormatError
from hpvade.deconvolve import FLAGS, QC_COLUMNS
from hpvade.io import read_text
from hpvade.results._files import FRACTIONS, LOWER, QC, RNA_FRACTIONS, UPPER, level_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from hpvade.deconvolve import Deconvolution

_CELL_FRACTIONS, _RNA_FRACTIONS = "Cell fractions", "RNA fractions"
_FRACTION_DECIMALS, _QC_DECIMALS = 9, 4  # nine, so that rows sum to 1 within 1e-8
_QC_NUMBERS = [name for name, column in QC_COLUMNS.items() if column.decimals is not None]


class FractionTable(NamedTuple):
    """Fractions, samples × cell types, and the bounds of their intervals where there are any."""

    name: str
    fractions: pd.DataFrame
    lower: pd.DataFrame | None = None
    upper: pd.DataFrame | None = None

    def rounded(self) -> FractionTable:
        """Return the table with the decimals of the files."""
        lower, upper = (
            None if side is None else side.round(_FRACTION_DECIMALS) for side in (self.lower, self.upper)
        )
        return FractionTable(self.name, self.fractions.round(_FRACTION_DECIMALS), lower, upper)


@dataclass(frozen=True)
class ResultTables:
    """The tables of samples of an output folder, with the decimals they have there.

    Attributes
    ----------
    tables
        Cell fractions first, then those of each level above the types, RNA fractions last.
    qc
        Samples × the columns of ``qc.tsv``; ``flags`` are lists of names.
    """

    tables: tuple[FractionTable, ...]
    qc: pd.DataFrame

    @property
    def fractions(self) -> pd.DataFrame:
        """Cell fractions, samples × cell types."""
        return self.tables[0].fractions

    @property
    def half_widths(self) -> pd.DataFrame:
        """Half of the width of the interval of each fraction, samples × cell types; NaN without intervals."""
        _, _, lower, upper = self.tables[0]
        return self.fractions * np.nan if lower is None or upper is None else (upper - lower) / 2

    @classmethod
    def from_deconvolution(cls, answer: Deconvolution) -> Self:
        """Take the tables from a result in memory."""
        tables = [
            FractionTable(_CELL_FRACTIONS, answer.fractions, answer.lower, answer.upper),
            *(FractionTable(_level_title(name), *level) for name, level in sorted(answer.levels.items())),
            FractionTable(_RNA_FRACTIONS, answer.rna_fractions),
        ]
        qc = answer.qc.copy()
        qc[_QC_NUMBERS] = qc[_QC_NUMBERS].astype(float).round(_QC_DECIMALS)
        return cls(tuple(table.rounded() for table in tables), _with_flag_lists(qc))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the tables from an output folder.

        Raises
        ------
        FileFormatError
            A file is missing or damaged.
        """
        tables = tuple(_read_fraction_tables(folder))
        return cls(tables, _read_qc(folder / QC, samples=tables[0].fractions.index))


def write_deconvolution(answer: Deconvolution, folder: Path, *, append: bool = False) -> None:
    """Write the tables of a result into a folder; ``append`` adds samples to those that are there."""
    tables = {
        FRACTIONS: answer.fractions,
        LOWER: answer.lower,
        UPPER: answer.upper,
        RNA_FRACTIONS: answer.rna_fractions,
    }
    for name, level in answer.levels.items():
        for side, table in level._asdict().items():
            tables[level_file(name, "" if side == "fractions" else side)] = table
    for name, table in tables.items():
        write_fractions(table, folder / name, append=append)
    _write_samples(answer.qc, folder / QC, decimals=_QC_DECIMALS, append=append)


def write_fractions(fractions: pd.DataFrame, path: str | os.PathLike[str], *, append: bool = False) -> None:
    """Write samples × cell types; first column ``sample``, nine decimals, so rows sum to 1 within 1e-8."""
    _write_samples(fractions, path, decimals=_FRACTION_DECIMALS, append=append)


def _write_samples(
    table: pd.DataFrame, path: str | os.PathLike[str], *, decimals: int, append: bool = False
) -> None:
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
        content = read_text(path)
        header = pd.read_csv(
            io.StringIO(content), sep="\t", header=None, nrows=1, dtype=str, keep_default_na=False
        )
        table = pd.read_csv(io.StringIO(content), sep="\t", converters={0: str})  # 001 and NA are names
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


def _read_fraction_tables(folder: Path) -> Iterator[FractionTable]:
    bounds = sorted(path.name for path in folder.glob("fractions*_lower.tsv"))
    stems = sorted((name.removesuffix("_lower.tsv") for name in bounds), key=lambda stem: stem != "fractions")
    for stem in stems or ["fractions"]:
        sides = (read_fractions(folder / f"{stem}{side}.tsv") for side in ("", "_lower", "_upper"))
        level = re.sub("^fractions_?", "", stem)
        yield FractionTable(_level_title(level) if level else _CELL_FRACTIONS, *sides)
    yield FractionTable(_RNA_FRACTIONS, read_fractions(folder / RNA_FRACTIONS))


def _level_title(level: str) -> str:
    return f"{_CELL_FRACTIONS}, {level}"


def _read_qc(path: Path, *, samples: pd.Index) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).set_index("sample")
        for name in _QC_NUMBERS:
            table[name] = table[name].replace("", "nan").astype(float)
        table = _with_flag_lists(table)
        strange = sorted({flag for flags in table["flags"] for flag in flags} - set(FLAGS))
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path} cannot be read ({error}). Run hpvade again to recreate the results."
        raise FileFormatError(msg) from error
    lacks_likeness = "unknown_like" not in table
    if lacks_likeness or strange:
        what = "lacks the column 'unknown_like'" if lacks_likeness else f"has an unknown flag '{strange[0]}'"
        msg = f"{path} {what}: another version of hpvade wrote it. Run hpvade again to recreate the results."
        raise FileFormatError(msg)
    if list(table.index) != list(samples):
        msg = f"{path} and {FRACTIONS} have different samples. Run hpvade again to recreate the results."
        raise FileFormatError(msg)
    return table


def _with_flag_lists(qc: pd.DataFrame) -> pd.DataFrame:
    return qc.assign(flags=qc["flags"].map(lambda text: [flag for flag in text.split(";") if flag]))
