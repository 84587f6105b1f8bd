"""What a visitor has chosen: files and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from hpvade import _keys
from hpvade._errors import InputError
from hpvade._types import BulkUnit, Preset
from hpvade.app._request_error import RequestError
from hpvade.app._uploads import BULKS, LABEL_MAPS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["reference", "model", "demo", "bulk", "label_map"]
PRESETS: Final = ("default", "fast")  # the witness is no choice for those who do not type commands
UNITS: Final = get_args(BulkUnit)
_MOST_LISTED = 500
_LONGEST = 200  # characters of an option
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Source:
    """Something to read.

    Attributes
    ----------
    kind
        What it is.
    name
        What it is called on the pages.
    path
        Where it is; None for the embedded data.
    uploaded
        Whether it lies in a temporary folder of its own.
    """

    kind: Kind
    name: str
    path: Path | None = None
    uploaded: bool = False

    @property
    def key(self) -> str:
        """What a form sends to choose it."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Options:
    """What the commands call by these names."""

    labels_key: str = _keys.CELL_TYPE
    donor_key: str = ""
    bulk_unit: BulkUnit = "auto"
    preset: Preset = "default"
    seed: int = 0
    min_cells: int | None = None
    max_epochs: int | None = None

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """Changes to the preset."""
        given = {
            "preprocess": {"min_cells": self.min_cells},
            "train": {"max_epochs": self.max_epochs},
        }
        return {section: values for section, values in given.items() if None not in values.values()}


@dataclass(frozen=True, slots=True)
class Choices:
    """All that a job needs."""

    reference: Source | None = None
    bulk: Source | None = None
    label_map: Source | None = None
    options: Options = Options()

    @property
    def missing(self) -> str | None:
        """Say what is still to be chosen."""
        if self.reference is None:
            return "Choose a reference or a saved model: upload one, or pick one from the list."
        if self.bulk is None and not self.is_demo:
            return "Choose a table of bulk samples: upload one, or pick one from the list."
        return None

    @property
    def paths(self) -> tuple[Path, Path]:
        """Where reference or model, and bulk are.

        Raises
        ------
        InputError
            One was not chosen.
        """
        if self.reference is None or self.bulk is None or None in (self.reference.path, self.bulk.path):
            raise InputError(self.missing)
        return cast("Path", self.reference.path), cast("Path", self.bulk.path)

    @property
    def is_demo(self) -> bool:
        """Whether reference and bulk are the embedded data."""
        return self.reference == DEMO

    @property
    def sources(self) -> list[Source]:
        """All that was chosen."""
        return [source for source in (self.reference, self.bulk, self.label_map) if source is not None]


DEMO: Final = Source("demo", "Embedded demo data")


def list_sources(folder: Path) -> list[Source]:
    """List what lies in a folder and can be chosen, by name; an AnnData file can be of either kind."""
    found: list[Source] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name.lower()):
        if not entry.name.startswith("."):
            found += [Source(kind, entry.name, entry.resolve()) for kind in _kinds_of(entry)]
    return found[:_MOST_LISTED]


def _kinds_of(entry: Path) -> list[Kind]:
    name = entry.name.lower()
    if entry.is_dir():
        if _is_model(entry) or _is_model(entry / "model"):
            return ["model"]
        if name.endswith(".zarr"):
            return ["reference", "bulk"]
        is_tenx = any((entry / f"matrix.mtx{end}").is_file() for end in ("", ".gz"))
        return ["reference"] if is_tenx else []
    kinds: list[Kind] = []
    if name.endswith(".h5ad"):
        kinds.append("reference")
    if name.endswith(BULKS):
        kinds.append("bulk")
    if name.endswith(LABEL_MAPS):
        kinds.append("label_map")
    return kinds


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "weights.safetensors").is_file()


def read_options(texts: Mapping[str, str]) -> Options:
    """Read the options of a form.

    Raises
    ------
    RequestError
        One cannot be used; it is named.
    """
    for name, text in texts.items():
        if len(text) > _LONGEST:
            msg = f"'{name}' has {len(text)} characters; {_LONGEST} are the most."
            raise RequestError(msg)
    return Options(
        labels_key=texts.get("labels_key", "").strip() or _keys.CELL_TYPE,
        donor_key=texts.get("donor_key", "").strip(),
        bulk_unit=cast("BulkUnit", _one_of(texts, "bulk_unit", UNITS)),
        preset=cast("Preset", _one_of(texts, "preset", PRESETS)),
        seed=_number(texts, "seed", 0, _LARGEST_SEED) or 0,
        min_cells=_number(texts, "min_cells", 4, 1_000_000),
        max_epochs=_number(texts, "max_epochs", 1, 10_000),
    )


def _one_of(texts: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    given = texts.get(name, known[0])
    if given not in known:
        msg = f"'{name}' cannot be '{given}'. It is one of {', '.join(known)}."
        raise RequestError(msg)
    return given


def _number(texts: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """Read a whole number; None where the field was left empty."""
    given = texts.get(name, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and least <= int(given) <= most):
        msg = f"'{name}' cannot be '{given}'. It is a whole number from {least} to {most}."
        raise RequestError(msg)
    return int(given)
