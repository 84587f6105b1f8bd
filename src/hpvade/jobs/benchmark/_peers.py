"""Estimates of other tools: a folder of tables named REFERENCE.METHOD.DATASET[.SEED].tsv."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpvade._errors import FileFormatError, suggest
from hpvade.jobs.benchmark._estimate import Estimate
from hpvade.jobs.benchmark._folder import read_facts
from hpvade.jobs.benchmark._plan import METHOD_NAMES
from hpvade.results import read_fractions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FORM = "REFERENCE.METHOD.DATASET[.SEED].tsv"


@dataclass(frozen=True, slots=True)
class PeerFile:
    """An estimate of another tool."""

    path: Path
    reference: str
    method: str
    dataset: str
    seed: int | None

    def read(self) -> Estimate:
        """Read the table, and the facts beside it if there are any."""
        facts = self.path.with_suffix(".json")
        return Estimate(read_fractions(self.path), read_facts(facts) if facts.exists() else {})


def find_peers(folder: Path, *, references: Iterable[str], datasets: Iterable[str]) -> list[PeerFile]:
    """List the estimates in a folder, in the order of their names.

    Parameters
    ----------
    folder
        Holds the tables, each with the same name in ``.json`` beside it if time and memory are known.
    references, datasets
        All names of the manifest. They may contain dots, so only they show where a part of a file name ends.

    Raises
    ------
    FileFormatError
        There is no table, a file name does not have this form, or it names a method of hpvade.
    """
    references, datasets = list(references), list(datasets)
    form = re.compile(rf"({_any(references)})\.(.+?)\.({_any(datasets)})(?:\.(\d+))?")
    paths = sorted(folder.glob("*.tsv"))
    if not paths:
        msg = f"{folder} contains no estimates: no file is named {_FORM}."
        raise FileFormatError(msg)
    peers, problems = [], []
    for path in paths:
        match = form.fullmatch(path.stem)
        if match is None:
            parts = path.stem.split(".")
            near = "" if parts[0] in references else suggest(parts[0], references)
            near += "" if parts[2:] and parts[2] in datasets else suggest("".join(parts[2:3]), datasets)
            problems.append(f"{path.name} is not named {_FORM}.{near}")
        elif match[2] in METHOD_NAMES:
            problems.append(f"{path.name} has the name of an hpvade method. Rename it.")
        else:
            seed = None if match[4] is None else int(match[4])
            peers.append(PeerFile(path, match[1], match[2], match[3], seed))
    if problems:
        known = f"References: {', '.join(references)}. Data sets: {', '.join(datasets)}."
        msg = f"{folder} has tables with invalid names: {' '.join(problems)} {known}"
        raise FileFormatError(msg)
    return peers


def _any(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
