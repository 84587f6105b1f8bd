"""The results of a run: what the report shows, from memory or from an output folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from hpvade import _keys
from hpvade._errors import FileFormatError
from hpvade.metrics import compare_groups
from hpvade.results._files import FRACTIONS, GROUPS, RUN
from hpvade.results._model import FoundModel, find_model
from hpvade.results._sample_groups import read_groups
from hpvade.results._tables import ResultTables

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from hpvade.model import TrainedModel
    from hpvade.results._tables import FractionTable

_RUN_ENTRIES = (
    "command",
    "started",
    "versions",
    "seed",
    "inputs_sha256",
    "decisions",
    "seconds",
    "peak_memory_mb",
)
_DECISIONS = ("bulk", "deconvolve", "coverage", "with_unknown", "noise_floor", "genes_used")


@dataclass(frozen=True)
class Results:
    """The results of a run.

    Attributes
    ----------
    tables
        Cell fractions first, then those of each level above the types, RNA fractions last.
    qc
        Samples × the columns of ``qc.tsv``; ``flags`` are lists of names.
    run
        The content of ``run.json``.
    trained
        The model that gave the results; None where it is not available.
    no_model
        Why it is not; empty where it is.
    history
        Losses per epoch; empty where they are not available.
    groups
        Sample → group, for samples that have one; None without groups.
    group_tests
        As `hpvade.metrics.compare_groups` makes them of the cell fractions; None without groups.
    """

    tables: tuple[FractionTable, ...]
    qc: pd.DataFrame
    run: dict[str, Any]
    trained: TrainedModel | None
    no_model: str
    history: pd.DataFrame
    groups: pd.Series | None
    group_tests: pd.DataFrame | None

    @classmethod
    def combine(
        cls, tables: ResultTables, *, run: dict[str, Any], model: FoundModel, groups: pd.Series | None
    ) -> Self:
        """Put the parts of the results together, and compare the groups if there are any."""
        return cls(
            tables=tables.tables,
            qc=tables.qc,
            run=run,
            **model._asdict(),
            groups=groups,
            group_tests=None if groups is None else compare_groups(tables.fractions, groups),
        )

    @property
    def fractions(self) -> pd.DataFrame:
        """Cell fractions, samples × cell types."""
        return self.tables[0].fractions

    @property
    def known(self) -> pd.DataFrame:
        """Cell fractions without the column of unknown content, samples × cell types."""
        return self.fractions.drop(columns=_keys.UNKNOWN) if self.with_unknown else self.fractions

    @property
    def coverage(self) -> float:
        """Coverage of the intervals."""
        return float(self.run["decisions"]["coverage"])

    @property
    def with_unknown(self) -> bool:
        """Whether unknown content has a column; a cell type may have that name too."""
        return bool(self.run["decisions"]["with_unknown"])

    @property
    def likeness(self) -> pd.Series:
        """What unknown cells resemble → number of samples, the most frequent first."""
        like = self.qc["unknown_like"].str.split("; ").explode()
        return like[like != ""].value_counts()

    @property
    def half_widths(self) -> pd.DataFrame:
        """Half of the width of the interval of each fraction, samples × cell types."""
        return ResultTables(self.tables, self.qc).half_widths

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
        Folder of the model that gave the results. Default: ``model/`` in the folder, or where ``run.json``
        says that it was.

    Raises
    ------
    FileFormatError
        A file is missing or damaged.
    InputError
        ``model`` is not the model that gave the results.
    """
    if not (folder / FRACTIONS).is_file():
        found = f"contains no {FRACTIONS}" if folder.is_dir() else "is not a folder"
        msg = f"{folder} {found}. Pass the output folder of hpvade run or hpvade deconvolve."
        raise FileFormatError(msg)
    run = _read_run(folder / RUN)
    tables = ResultTables.read(folder)
    has_groups = (folder / GROUPS).exists()
    groups = read_groups(folder / GROUPS, samples=tables.fractions.index) if has_groups else None
    return Results.combine(tables, run=run, model=find_model(folder, run, given=model), groups=groups)


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run: dict[str, Any] = json.loads(path.read_text())
        absent = [name for name in _RUN_ENTRIES if name not in run]
        absent += [name for name in _DECISIONS if name not in run.get("decisions", {})]
    except FileNotFoundError as error:
        msg = f"{path} does not exist: the folder is incomplete, or hpvade did not write it."
        raise FileFormatError(msg) from error
    except (OSError, ValueError, AttributeError) as error:
        msg = f"{path} cannot be read ({error}). Run hpvade again to recreate the results."
        raise FileFormatError(msg) from error
    if absent:
        msg = (
            f"{path} lacks '{absent[0]}': it was written by an earlier version of hpvade. Run hpvade again "
            "to recreate the results."
        )
        raise FileFormatError(msg)
    return run
