"""What a benchmark compares: which references and sets, and what is skipped and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpvade._errors import FileFormatError, InputError, suggest
from hpvade.datasets import scored_columns
from hpvade.deconvolve.baselines import METHODS
from hpvade.jobs.benchmark._columns import MEAN, POOLED, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hpvade.datasets import BulkEntry, Manifest, ReferenceEntry

MODEL = "hpvade"
ALL = "all"
METHOD_NAMES = (MODEL, *METHODS)


@dataclass(frozen=True, slots=True)
class BenchmarkReference:
    """A reference of the manifest, or all of them together.

    Attributes
    ----------
    name
        Name in the manifest, or ``"all"``.
    members
        Entries of the manifest that it is made of, by name.
    coarse
        Coarse type → labels of an estimate to sum.
    labels
        Member → label → label to train with; other labels are dropped. None: the member's own labels.
    left_out
        Labels that are dropped to make them unknown content.
    """

    name: str
    members: Mapping[str, ReferenceEntry]
    coarse: Mapping[str, Sequence[str]]
    labels: Mapping[str, Mapping[str, str]] | None = None
    left_out: tuple[str, ...] = ()

    def without(self, types: Sequence[str]) -> BenchmarkReference | None:
        """Leave out coarse types; None if the reference has none of them, or nothing else."""
        gone = [name for name in types if name in self.coarse]
        kept = {name: labels for name, labels in self.coarse.items() if name not in gone}
        if not gone or len(kept) < 2:
            return None
        left_out = tuple(label for name in gone for label in self.coarse[name])
        labels = self.labels and {
            member: {label: name for label, name in own.items() if name not in gone}
            for member, own in self.labels.items()
        }
        return BenchmarkReference(
            f"{self.name} without {'+'.join(gone)}", self.members, kept, labels, left_out
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """References and sets by name, the pairs of them to compare, and notes on what is skipped."""

    references: Mapping[str, BenchmarkReference]
    bulk: Mapping[str, BulkEntry]
    pairs: Sequence[tuple[str, str]]
    notes: Sequence[str]

    def files(self) -> list[Path]:
        """All files that are read, each once."""
        used = {name for pair in self.pairs for name in pair}
        members = [m for name, r in self.references.items() if name in used for m in r.members.values()]
        sets = [entry for name, entry in self.bulk.items() if name in used]
        paths = [m.path for m in members] + [p for entry in sets for p in (entry.path, entry.truth)]
        return list(dict.fromkeys(paths))


def make_plan(
    manifest: Manifest,
    *,
    references: Sequence[str] = (),
    datasets: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> Plan:
    """Pair every reference that has coarse types with every set whose headline types it has.

    Parameters
    ----------
    manifest
        As `hpvade.datasets.read_manifest` returns it.
    references, datasets
        Names to keep; empty keeps all. ``"all"`` is all references together.
    leave_out
        Coarse types, several joined by ``+``: each reference is also used without them, and they count as
        unknown content.

    Raises
    ------
    InputError
        A name is unknown or a type has a reserved one, no pair is left, or a file is missing.
    """
    known = benchmark_references(manifest)
    check_names(references, known, what="reference with coarse types")
    check_names(datasets, manifest.bulk, what="bulk data set")
    chosen = {name: known[name] for name in references or known}
    sets = {name: manifest.bulk[name] for name in datasets or manifest.bulk}
    for dataset, entry in sets.items():
        for name in set(entry.headline_types) & {MEAN, POOLED, UNKNOWN}:
            msg = f"A headline type of '{dataset}' has the reserved name '{name}'. Rename it."
            raise InputError(msg)
    missing = {
        (reference, dataset): _missing_types(entry, known[reference])
        for reference in chosen
        for dataset, entry in sets.items()
    }
    pairs = [pair for pair, types in missing.items() if not types]
    for text in leave_out:
        types = text.split("+")
        check_names(types, {name for r in chosen.values() for name in r.coarse}, what="coarse type")
        for name in list(dict.fromkeys(reference for reference, _ in missing)):
            if (less := known[name].without(types)) is not None:
                chosen[less.name] = less
                pairs += [(less.name, d) for d in sets if (name, d) in pairs and _has_any(sets[d], less)]
    notes = []
    for dataset in sets:
        lacking = {r: types for (r, d), types in missing.items() if d == dataset and types}
        reasons = [f"{r} lacks {', '.join(types)}" for r, types in lacking.items()]
        if len(lacking) == len({reference for reference, _ in missing}):
            notes.append(f"Skipped {dataset}: {'; '.join(reasons)}.")
        else:
            notes += [f"Skipped {dataset} with one reference: {text}." for text in reasons]
    plan = Plan(chosen, sets, pairs, notes)
    if not pairs:
        msg = f"Nothing to compare: no reference has all headline types of any set. {' '.join(notes)}"
        raise InputError(msg)
    if absent := [str(path) for path in plan.files() if not path.exists()]:
        msg = f"The manifest lists files that do not exist: {', '.join(absent)}."
        raise FileFormatError(msg)
    return plan


def benchmark_references(manifest: Manifest) -> dict[str, BenchmarkReference]:
    """List references with coarse types, each with its own labels, and all of them together as "all".

    Together they have all coarse types of any of them; cells with other labels are dropped. References that
    share fewer than two coarse types are not combined.

    Raises
    ------
    InputError
        A reference is named "all".
    """
    if ALL in manifest.references:
        msg = f"A reference of the manifest has the reserved name '{ALL}'. Rename it."
        raise InputError(msg)
    coarse = manifest.coarse_types
    found = {
        name: BenchmarkReference(name, {name: entry}, coarse[name])
        for name, entry in manifest.references.items()
        if name in coarse
    }
    if len(found) > 1:
        labels = {name: {label: k for k, own in coarse[name].items() for label in own} for name in found}
        types = list(dict.fromkeys(k for name in found for k in coarse[name]))
        if len(set.intersection(*(set(coarse[name]) for name in found))) > 1:
            members = {name: manifest.references[name] for name in found}
            found[ALL] = BenchmarkReference(ALL, members, {k: [k] for k in types}, labels)
    return found


def check_names(names: Iterable[str], known: Iterable[str], *, what: str) -> None:
    """Raise `InputError` for the first name that is not known."""
    known = list(known)
    for name in names:
        if name not in known:
            msg = f"There is no {what} '{name}'. Known: {', '.join(known)}.{suggest(name, known)}"
            raise InputError(msg)


def _has_any(entry: BulkEntry, reference: BenchmarkReference) -> bool:
    """Whether a headline type remains that can be scored."""
    return bool(scored_columns(entry, reference.coarse)["estimate"])


def _missing_types(entry: BulkEntry, reference: BenchmarkReference) -> list[str]:
    scored = scored_columns(entry, reference.coarse)["estimate"]
    return [name for name in entry.headline_types if name not in scored]
