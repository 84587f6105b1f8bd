"""Manifests: the references and bulk data sets of a folder, and how their cell types correspond."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from hpvade import _keys
from hpvade._errors import FileFormatError, suggest
from hpvade._types import BulkUnit  # noqa: TC001 - pydantic reads it at run time
from hpvade._warnings import DataWarning, warn
from hpvade.io import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANIFEST = "manifest.json"
_PROBLEMS_SHOWN = 10


def _beside_manifest(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path relative to the manifest."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


_File = Annotated[Path, AfterValidator(_beside_manifest)]
_Names = Annotated[list[str], Field(min_length=1)]


class _Entry(BaseModel):
    """Base of the parts of a manifest; names that hpvade does not know are kept, to be reported once."""

    model_config = ConfigDict(frozen=True, extra="allow")


class ReferenceEntry(_Entry):
    """A labelled single-cell reference.

    Attributes
    ----------
    path
        The file, absolute or relative to the manifest.
    labels_key, donor_key, layer
        As for `hpvade.io.read_reference`.
    drop_labels
        Labels whose cells are left out.
    """

    path: _File
    labels_key: str = _keys.CELL_TYPE
    donor_key: str | None = None
    layer: str | None = None
    drop_labels: list[str] = []
    note: str = ""


class BulkEntry(_Entry):
    """Bulk samples with measured fractions.

    Attributes
    ----------
    path, truth
        The bulk table, and the table of fractions, samples × columns.
    unit
        Unit of the bulk table.
    truth_types
        Coarse type → columns of the truth to sum.
    merge
        Type of this set → coarse types of a reference to sum, where the truth does not separate them.
    headline_types
        The types to score, names of ``truth_types``.
    unknown
        Columns of the truth that no reference covers. Default: all that ``truth_types`` maps to no type
        of the reference.
    estimand
        Whether the truth is of ``cells`` or of ``rna``.
    """

    path: _File
    truth: _File
    truth_types: Annotated[dict[str, _Names], Field(min_length=1)]
    headline_types: _Names
    merge: dict[str, _Names] = {}
    unit: BulkUnit = "auto"
    unknown: list[str] = []
    estimand: Literal["cells", "rna"] = "cells"
    note: str = ""


class Manifest(_Entry):
    """References and bulk sets, and how their types correspond.

    Attributes
    ----------
    references, bulk
        By name.
    coarse_types
        Reference → coarse type → labels of the reference to sum.
    """

    references: Annotated[dict[str, ReferenceEntry], Field(min_length=1)]
    bulk: Annotated[dict[str, BulkEntry], Field(min_length=1)]
    coarse_types: dict[str, Annotated[dict[str, _Names], Field(min_length=1)]] = {}
    version: int = 1
    note: str = ""


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest and check it.

    Parameters
    ----------
    path
        The JSON file, or a folder with a ``manifest.json``.

    Returns
    -------
    The manifest; its paths are relative to its folder. Whether the files exist is not checked.

    Raises
    ------
    FileFormatError
        The file cannot be read or is not valid; the message lists every problem.
    """
    path = Path(path)
    path = path / MANIFEST if path.is_dir() else path
    try:
        manifest = Manifest.model_validate_json(read_text(path), context={"folder": path.parent})
    except OSError as error:
        msg = f"The manifest {path} cannot be read: {error.strerror}. Pass a {MANIFEST} or its folder."
        raise FileFormatError(msg) from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()]
        raise FileFormatError(_invalid(path, problems)) from error
    except ValueError as error:
        msg = f"The manifest {path} cannot be read: {error}. Pass a {MANIFEST} or its folder."
        raise FileFormatError(msg) from error
    if problems := _contradictions(manifest):
        raise FileFormatError(_invalid(path, problems))
    if unknown := _unknown_names(manifest):
        msg = f"The manifest {path} has unknown entries, which are ignored: {', '.join(unknown)}."
        warn(msg, DataWarning)
    return manifest


def scored_columns(entry: BulkEntry, coarse: Mapping[str, Sequence[str]]) -> dict[str, dict[str, list[str]]]:
    """Return the columns to sum on both sides to compare an estimate with the truth of a data set.

    Parameters
    ----------
    entry
        The bulk data set.
    coarse
        Coarse type → columns of the estimate.

    Returns
    -------
    ``"estimate"`` and ``"truth"``, each headline type → columns: a ``mapping`` of
    `hpvade.metrics.evaluate`. Headline types that the estimate lacks are left out.
    """
    estimate = {name: list(columns) for name, columns in coarse.items()}
    for merged, parts in entry.merge.items():
        columns = [column for part in parts for column in coarse.get(part, [])]
        if columns:
            estimate[merged] = columns
    types = [name for name in entry.headline_types if name in estimate]
    return {
        "estimate": {name: estimate[name] for name in types},
        "truth": {name: entry.truth_types[name] for name in types},
    }


def _contradictions(manifest: Manifest) -> list[str]:
    """List the contradictions between fields that are each valid."""
    problems = [
        f"coarse_types.{name}: no such reference.{suggest(name, manifest.references)}"
        for name in manifest.coarse_types
        if name not in manifest.references
    ]
    problems += [
        f"{part}.{name}: names become parts of file names and cannot contain a slash or start with a dot"
        for part, names in (("references", manifest.references), ("bulk", manifest.bulk))
        for name in names
        if not name or name.startswith(".") or "/" in name or "\\" in name
    ]
    for name, types in manifest.coarse_types.items():
        labels = [label for names in types.values() for label in names]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        dropped = [label for label in _dropped(manifest, name) if label in labels]
        problems += [f"coarse_types.{name}: label '{label}' is listed more than once" for label in twice]
        problems += [f"coarse_types.{name}: label '{label}' is also in drop_labels" for label in dropped]
    for name, entry in manifest.bulk.items():
        problems += [
            f"bulk.{name}.headline_types: '{headline}' is not in truth_types."
            f"{suggest(headline, entry.truth_types)}"
            for headline in entry.headline_types
            if headline not in entry.truth_types
        ]
    return problems


def _dropped(manifest: Manifest, name: str) -> list[str]:
    entry = manifest.references.get(name)
    return entry.drop_labels if entry else []


def _unknown_names(manifest: Manifest) -> list[str]:
    """List names that are not fields, each with its place and a suggestion."""
    places: list[tuple[str, _Entry]] = [("", manifest)]
    places += [(f"references.{name}.", entry) for name, entry in manifest.references.items()]
    places += [(f"bulk.{name}.", entry) for name, entry in manifest.bulk.items()]
    return [
        f"{place}{name}{suggest(name, type(entry).model_fields).rstrip('?')}"
        for place, entry in places
        for name in entry.model_extra or {}
    ]


def _invalid(path: Path, problems: Sequence[str]) -> str:
    more = len(problems) - _PROBLEMS_SHOWN
    shown = [*problems[:_PROBLEMS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return f"The manifest {path} is not valid: " + "; ".join(shown) + "."
