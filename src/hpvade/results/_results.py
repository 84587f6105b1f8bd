"""What an output folder holds, read back for the report."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import FileFormatError
from hpvade.metrics import compare_groups
from hpvade.results._model import find_model
from hpvade.results._sample_groups import read_groups
from hpvade.results._tables import read_fractions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hpvade.model import HPVADE

GROUPS = "groups.tsv"
_CELL_FRACTIONS = "Cell fractions"
_NUMBERS = (
    *("genes_used", "gene_overlap", "reconstruction_r", "residual_sd"),
    *("unknown", "unknown_lower", "unknown_upper"),
)
_OF_RUN = (
    "command",
    "started",
    "versions",
    "seed",
    "inputs_sha256",
    "decisions",
    "seconds",
    "peak_memory_mb",
)
_OF_DECISIONS = ("bulk", "deconvolve", "genes_used")


class Table(NamedTuple):
    """Fractions, samples × cell types, and the bounds of their intervals where there are any."""

    name: str
    fractions: pd.DataFrame
    lower: pd.DataFrame | None = None
    upper: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """What an output folder holds.

    Attributes
    ----------
    tables
        Cell fractions first, then those of each level above the types, RNA fractions last.
    qc
        Samples × the columns of ``qc.tsv``; ``flags`` are lists of names.
    run
        ``run.json``.
    model
        The model that answered; None where it is not to be had.
    no_model
        Why it is not; empty where it is there.
    history
        Losses per epoch; empty where they are not to be found.
    groups
        Sample → group, for samples that have one; None without a groups file.
    group_tests
        As `compare_groups` makes them of the cell fractions; None without groups.
    """

    tables: tuple[Table, ...]
    qc: pd.DataFrame
    run: dict[str, Any]
    model: HPVADE | None
    no_model: str
    history: pd.DataFrame
    groups: pd.Series | None
    group_tests: pd.DataFrame | None

    @property
    def fractions(self) -> pd.DataFrame:
        """Cell fractions, samples × cell types."""
        return self.tables[0].fractions

    @property
    def known(self) -> pd.DataFrame:
        """Cell fractions without the column of unknown content, samples × cell types."""
        return self.fractions.drop(columns=_keys.UNKNOWN) if self.with_unknown else self.fractions

    @property
    def level(self) -> float:
        """Coverage of the intervals."""
        return float(self.run["decisions"]["deconvolve"]["level"])

    @property
    def with_unknown(self) -> bool:
        """Whether unknown content has a column; a cell type may have that name too."""
        return bool(self.run["decisions"]["deconvolve"]["with_unknown"])

    @property
    def half_widths(self) -> pd.DataFrame:
        """Half of the width of the interval of each fraction, samples × cell types."""
        _, _, lower, upper = self.tables[0]
        return self.fractions * np.nan if lower is None or upper is None else (upper - lower) / 2

    @property
    def known_half_widths(self) -> pd.DataFrame:
        """The same of the fractions that are `known`."""
        return self.half_widths[list(self.known)]


def read_results(folder: Path, *, model: Path | None = None) -> Results:
    """Read an output folder of ``hpvade run``, ``deconvolve`` or ``demo``.

    Parameters
    ----------
    folder
        The folder.
    model
        Folder of the model that answered. Default: ``model/`` in the folder, or where ``run.json`` says that
        it was.

    Raises
    ------
    FileFormatError
        A file is missing or damaged.
    InputError
        ``model`` is not the model that answered.
    """
    if not (folder / "fractions.tsv").is_file():
        msg = f"{folder} holds no fractions.tsv. Give the output folder of hpvade run or hpvade deconvolve."
        raise FileFormatError(msg)
    run = _read_run(folder / "run.json")
    tables = tuple(_tables(folder))
    fractions = tables[0].fractions
    groups = read_groups(folder / GROUPS, samples=fractions.index) if (folder / GROUPS).exists() else None
    found = find_model(folder, run, given=model)
    return Results(
        tables=tables,
        qc=_read_qc(folder / "qc.tsv", samples=fractions.index),
        run=run,
        **found._asdict(),
        groups=groups,
        group_tests=None if groups is None else compare_groups(fractions, groups),
    )


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run: dict[str, Any] = json.loads(path.read_text())
        absent = [name for name in _OF_RUN if name not in run]
        absent += [name for name in _OF_DECISIONS if name not in run.get("decisions", {})]
    except FileNotFoundError as error:
        msg = f"{path} does not exist: hpvade did not write this folder, or it is not whole."
        raise FileFormatError(msg) from error
    except (OSError, ValueError, AttributeError) as error:
        msg = f"{path} cannot be read ({error}). Make the results again."
        raise FileFormatError(msg) from error
    if absent:
        msg = f"{path} lacks '{absent[0]}': an earlier hpvade wrote it. Make the results again."
        raise FileFormatError(msg)
    return run


def _tables(folder: Path) -> Iterator[Table]:
    bounds = sorted(path.name for path in folder.glob("fractions*_lower.tsv"))
    stems = sorted((name.removesuffix("_lower.tsv") for name in bounds), key=lambda stem: stem != "fractions")
    for stem in stems or ["fractions"]:
        read = {name: read_fractions(folder / f"{stem}{name}.tsv") for name in ("", "_lower", "_upper")}
        level = re.sub("^fractions_?", "", stem)
        yield Table(f"{_CELL_FRACTIONS}, {level}" if level else _CELL_FRACTIONS, *read.values())
    yield Table("RNA fractions", read_fractions(folder / "rna_fractions.tsv"))


def _read_qc(path: Path, *, samples: pd.Index) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).set_index("sample")
        for name in _NUMBERS:
            table[name] = table[name].replace("", "nan").astype(float)
        table["flags"] = [[flag for flag in text.split(";") if flag] for text in table["flags"]]
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path} cannot be read ({error}). Make the results again."
        raise FileFormatError(msg) from error
    if list(table.index) != list(samples):
        msg = f"{path} has other samples than fractions.tsv. Make the results again."
        raise FileFormatError(msg)
    return table
