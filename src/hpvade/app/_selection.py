"""The selection of the user: files and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from hpvade import _keys
from hpvade._errors import InputError
from hpvade._types import BulkUnit, Preset
from hpvade.app._request_error import RequestError
from hpvade.app._uploads import BULK_ENDINGS, REFERENCE_ENDINGS, SMALL_TABLE_ENDINGS
from hpvade.io import real_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["reference", "model", "demo", "bulk", "small_table"]
Field = Literal["reference", "bulk", "label_map", "labels"]  # of the form
PRESETS: Final = ("default", "fast")  # the original method is only for comparisons, by command
UNITS: Final = get_args(BulkUnit)
_MAX_LISTED = 500
_MAX_LENGTH = 200  # characters of an option
_MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Source:
    """An input of a job.

    Attributes
    ----------
    kind
        What it is.
    name
        Its name on the pages.
    path
        Where it is; None for the embedded data.
    uploaded
        Whether it is in a temporary folder of its own.
    """

    kind: Kind
    name: str
    path: Path | None = None
    uploaded: bool = False

    @property
    def key(self) -> str:
        """The value of a form that selects it."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Options:
    """Options, named as those of the commands."""

    labels_key: str = _keys.CELL_TYPE
    donor_key: str = ""
    layer: str = ""
    bulk_unit: BulkUnit = "auto"
    ignore_case: bool = False
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
class Selection:
    """The files and options of a job."""

    reference: Source | None = None
    bulk: Source | None = None
    label_map: Source | None = None
    labels: Source | None = None
    options: Options = Options()

    @property
    def missing(self) -> str | None:
        """What still has to be selected, as a message; None if nothing."""
        if self.reference is None:
            return "Select a reference or a saved model: upload one, or choose one from the list."
        if self.bulk is None and not self.is_demo:
            return "Select a table of bulk samples: upload one, or choose one from the list."
        return None

    @property
    def paths(self) -> tuple[Path, Path]:
        """Paths of the reference or model, and of the bulk table.

        Raises
        ------
        InputError
            One is not selected.
        """
        if self.reference is None or self.bulk is None or None in (self.reference.path, self.bulk.path):
            raise InputError(self.missing)
        return cast("Path", self.reference.path), cast("Path", self.bulk.path)

    @property
    def is_demo(self) -> bool:
        """Whether the embedded data are used as reference and bulk."""
        return self.reference == DEMO

    @property
    def is_model(self) -> bool:
        """Whether a saved model is used instead of a reference."""
        return self.reference is not None and self.reference.kind == "model"

    @property
    def sources(self) -> list[Source]:
        """All files that are selected."""
        return [source for _, source in self.titled_sources]

    @property
    def titled_sources(self) -> list[tuple[str, Source]]:
        """All files that are selected, each with its title."""
        found = {
            {"model": "Saved model", "demo": "Reference and bulk"}.get(
                self.reference.kind if self.reference else "", "Reference"
            ): self.reference,
            "Bulk": self.bulk,
            "Label map": self.label_map,
            "Table of labels": self.labels,
        }
        return [(title, source) for title, source in found.items() if source is not None]


DEMO: Final = Source("demo", "Built-in demo data")


def list_sources(folder: Path) -> list[Source]:
    """List the files of a folder that can be selected, by name; an AnnData file can be of either kind.

    Links that lead out of the folder are left out: who opens the page may read the folder, and nothing else.
    """
    found: list[Source] = []
    inside = real_path(folder)
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name.lower()):
        place = real_path(entry)
        if not entry.name.startswith(".") and place.is_relative_to(inside):
            found += [Source(kind, entry.name, place) for kind in _kinds(entry)]
    return found[:_MAX_LISTED]


def _kinds(entry: Path) -> list[Kind]:
    name = entry.name.lower()
    if entry.is_dir():
        if _is_model(entry) or _is_model(entry / "model"):
            return ["model"]
        if name.endswith(".zarr"):
            return ["reference", "bulk"]
        is_tenx = any((entry / f"matrix.mtx{end}").is_file() for end in ("", ".gz"))
        return ["reference"] if is_tenx else []
    kinds: list[Kind] = []
    if name.endswith(REFERENCE_ENDINGS):
        kinds.append("reference")
    if name.endswith(BULK_ENDINGS):
        kinds.append("bulk")
    if name.endswith(SMALL_TABLE_ENDINGS):
        kinds.append("small_table")
    return kinds


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "weights.safetensors").is_file()


def read_options(texts: Mapping[str, str]) -> Options:
    """Read the options of a form.

    Raises
    ------
    RequestError
        An option is not valid.
    """
    for name, text in texts.items():
        if len(text) > _MAX_LENGTH:
            msg = f"'{name}' has {len(text):,} characters; the maximum is {_MAX_LENGTH}."
            raise RequestError(msg)
    return Options(
        labels_key=texts.get("labels_key", "").strip() or _keys.CELL_TYPE,
        donor_key=texts.get("donor_key", "").strip(),
        layer=texts.get("layer", "").strip(),
        ignore_case="ignore_case" in texts,
        bulk_unit=cast("BulkUnit", _choice(texts, "bulk_unit", UNITS)),
        preset=cast("Preset", _choice(texts, "preset", PRESETS)),
        seed=_number(texts, "seed", 0, _MAX_SEED) or 0,
        min_cells=_number(texts, "min_cells", 4, 1_000_000),
        max_epochs=_number(texts, "max_epochs", 1, 10_000),
    )


def _choice(texts: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    given = texts.get(name, allowed[0])
    if given not in allowed:
        msg = f"'{name}' cannot be '{given}'. Use one of {', '.join(allowed)}."
        raise RequestError(msg)
    return given


def _number(texts: Mapping[str, str], name: str, minimum: int, maximum: int) -> int | None:
    """Read a whole number; None if the field is empty."""
    given = texts.get(name, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and minimum <= int(given) <= maximum):
        msg = f"'{name}' cannot be '{given}'. Use a whole number from {minimum:,} to {maximum:,}."
        raise RequestError(msg)
    return int(given)
