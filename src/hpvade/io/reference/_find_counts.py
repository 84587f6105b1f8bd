"""Finding the matrix of an AnnData that holds the counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hpvade import _keys as keys
from hpvade._errors import CountsError, suggest

from ._count_evidence import CellSample, choose_counts, distinct, is_sum, why_not_counts
from ._counts import Candidate, ValueSummary, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

_COUNTS = f"layers['{keys.COUNTS}']"
_FIRST = (_COUNTS, "X", "raw.X")  # one of these that holds counts is taken without looking further
_LOOSE = 0.8  # a lower correlation with normalised values is mentioned


@dataclass(frozen=True)
class FoundCounts:
    """The matrix that holds the counts.

    Attributes
    ----------
    candidate
        The matrix.
    notes
        What was decided, and what overrules it.
    corrected
        Whether the values are not plain counts, but were accepted because the user named the matrix.
    """

    candidate: Candidate
    notes: tuple[str, ...] = ()
    corrected: bool = False


def find_counts(adata: AnnData, *, layer: str | None, path: Path) -> FoundCounts:
    """Find the matrix of ``adata`` that holds counts.

    The first of ``layers["counts"]``, ``X`` and ``raw.X`` that holds counts is taken, otherwise the layer
    that does. Whole numbers can also be bins, ranks or rounded values, and layers can hold parts of the
    counts such as spliced and unspliced ones: see `why_not_counts` and `choose_counts`.

    Parameters
    ----------
    adata
        Cells × genes.
    layer
        The only matrix to check: the name of a layer, ``"X"`` or ``"raw"``. Its values need not be whole
        numbers, only linear.
    path
        The file, for messages.

    Raises
    ------
    CountsError
        If no matrix holds counts, or if it is doubtful which one does; reports what each of them holds.
    """
    if layer is not None:
        return _check_named(_named(adata, layer=layer, path=path), adata=adata, path=path)
    candidates = {candidate.name: candidate for candidate in _candidates(adata)}
    samples = {name: candidate.sample() for name, candidate in candidates.items()}
    normalised = _normalised(samples.values())
    checked: dict[str, ValueSummary] = {}
    for name, candidate in candidates.items():
        checked[name] = _examined(candidate, samples[name], normalised, cells=adata.obs_names)
        if checked[name].are_counts and name in _FIRST:
            break
    counts = [samples[name] for name, values in checked.items() if values.are_counts]
    if not counts:
        raise CountsError(_no_counts(checked, path=path))
    if counts[0].name not in _FIRST:
        chosen, notes = _choose(counts, normalised, path=path)
    elif counts[0].name == "X":
        chosen, notes = _complete(counts[0], samples)
    else:
        chosen, notes = counts[0].name, []
    if _COUNTS in checked and chosen != _COUNTS:
        notes.append(f"{_COUNTS} does not contain counts ({checked[_COUNTS]}); {chosen} was used instead.")
    return FoundCounts(candidates[chosen], tuple(notes))


def _examined(
    candidate: Candidate, sample: CellSample, normalised: CellSample | None, *, cells: pd.Index
) -> ValueSummary:
    """Summarise a matrix, with the evidence on what its values are."""
    values = summarise(candidate, cells=cells)
    if values.are_counts:
        return replace(values, other=why_not_counts(sample, normalised), total=sample.rounded_total())
    return replace(values, total=sample.constant_total()) if values.are_linear else values


def _choose(counts: list[CellSample], normalised: CellSample | None, *, path: Path) -> tuple[str, list[str]]:
    """Choose the counts among layers of whole numbers; return the name of the layer, and notes."""
    counts = distinct(counts)
    if len(counts) == 1:
        return counts[0].name, _loose_agreement(counts[0], normalised)
    listed = ", ".join(f"{sample.name} (about {_median_total(sample)} per cell)" for sample in counts)
    found = choose_counts(counts, normalised)
    if found is None:
        shown = "no normalised values show which one was used"
        if normalised is not None and counts[0].plus(counts[1:]).reproduces(normalised):
            shown = f"{normalised.name} holds the normalised values of their sum"
        layers = " + ".join(f"adata.{sample.name}" for sample in counts)
        msg = (
            f"Several layers of {path} may hold the counts: {listed}. None is the sum of the others, and "
            f"{shown}. Choose one with --layer, or store the sum of those that belong together, for instance "
            f"in Python: adata.{_COUNTS} = {layers}."
        )
        raise CountsError(msg)
    chosen, reason = found
    note = (
        f"Several layers hold whole numbers: {listed}. {chosen.name} was used, because {reason}. To use "
        "another one, pass --layer."
    )
    return chosen.name, [note]


def _median_total(sample: CellSample) -> str:
    """Return the median sum of a cell in two digits, because a sample shows no more."""
    return f"{float(f'{np.median(sample.totals):.2g}'):,.0f}"


def _loose_agreement(sample: CellSample, normalised: CellSample | None) -> list[str]:
    """Return a note if counts in a layer have little to do with the normalised values beside them."""
    if normalised is None or not (found := sample.agreement(normalised).linear) < _LOOSE:
        return []
    note = (
        f"{sample.name} was used as counts, although {normalised.name} follows it only loosely (correlation "
        f"{found:.2f} in the median cell). If the counts are elsewhere, pass --layer."
    )
    return [note]


def _complete(own: CellSample, samples: Mapping[str, CellSample]) -> tuple[str, list[str]]:
    """Return where all counts are, given that X holds some: X, or a layer that is the sum of X and others."""
    layers = [sample for name, sample in samples.items() if name not in _FIRST and sample.is_whole]
    layers = distinct([own, *layers])[1:]
    for whole in layers:
        parts = [own, *(layer for layer in layers if layer is not whole)]
        if is_sum(whole, parts):
            names = ", ".join(part.name for part in parts)
            note = f"{whole.name} was used, because it is the sum of {names}. To use X alone, pass --layer X."
            return whole.name, [note]
    raw = samples.get("raw.X")
    if raw is not None and raw.is_whole and len(raw.genes) > len(own.genes):
        note = (
            f"X and raw.X both hold whole numbers. X was used, with {len(own.genes):,} genes; to use the "
            f"{len(raw.genes):,} genes of raw.X, pass --layer raw."
        )
        return own.name, [note]
    return own.name, []


def _check_named(candidate: Candidate, *, adata: AnnData, path: Path) -> FoundCounts:
    """Check the matrix that the user named; its values may be linear without being plain counts."""
    sample = candidate.sample()
    normalised = _normalised(other.sample() for other in _candidates(adata) if other.name != candidate.name)
    values = _examined(candidate, sample, normalised, cells=adata.obs_names)
    if values.are_counts:
        return FoundCounts(candidate)
    if values.total is not None and not values.other:
        note = (
            f"Every cell of {candidate.name} sums to about {values.total:,.0f}: the values are normalised. "
            "The RNA content of the cell types cannot be measured, and is taken as equal without "
            "--rna-content."
        )
    elif not (values.first_bad or values.integers) and _is_linear(sample, values, normalised):
        note = (
            f"{candidate.name} holds values that are not whole numbers. They are used as counts that were "
            "corrected, for instance for ambient RNA (SoupX, decontX)."
        )
    else:
        raise CountsError(_no_counts({candidate.name: values}, path=path))
    return FoundCounts(candidate, (note,), corrected=True)


def _is_linear(sample: CellSample, values: ValueSummary, normalised: CellSample | None) -> bool:
    """Whether values that are not whole numbers are linear, and not logarithms."""
    if values.are_linear or normalised is None:
        return values.are_linear
    found = sample.agreement(normalised)
    return found.linear > max(found.stored, _LOOSE)


def _normalised(samples: Iterable[CellSample]) -> CellSample | None:
    return next((sample for sample in samples if sample.is_normalised), None)


def _no_counts(checked: Mapping[str, ValueSummary], *, path: Path) -> str:
    """Describe that no matrix holds counts, and what to do."""
    found = "\n".join(f"  {name}: {values}" for name, values in checked.items()) or "  (no matrix)"
    remedy = "Store them in layers['counts'], or pass --layer if they are elsewhere."
    for name, values in checked.items():
        if values.total is not None and not values.other:
            remedy += (
                " Normalised values have lost the RNA content of the cell types; to use them all the same, "
                f"pass --layer {_option(name)}."
            )
        elif values.are_linear:
            remedy += (
                f" If {name} holds counts that were corrected for ambient RNA, pass --layer {_option(name)}."
            )
    return (
        f"No raw counts were found in {path}. Checked:\n{found}\n"
        f"Counts are finite, non-negative whole numbers. {remedy}"
    )


def _option(name: str) -> str:
    """Return what --layer calls a matrix."""
    return {"X": "X", "raw.X": "raw"}.get(name, name.removeprefix("layers['").removesuffix("']"))


def _candidates(adata: AnnData) -> Iterator[Candidate]:
    if keys.COUNTS in adata.layers:
        yield _layer(adata, keys.COUNTS)
    if adata.X is not None:
        yield Candidate("X", adata.X, adata.var)
    if adata.raw is not None:
        yield Candidate("raw.X", adata.raw.X, adata.raw.var)
    for name in adata.layers:
        if name != keys.COUNTS:
            yield _layer(adata, name)


def _named(adata: AnnData, *, layer: str, path: Path) -> Candidate:
    if layer in adata.layers:
        return _layer(adata, layer)
    for candidate in _candidates(adata):
        if (layer, candidate.name) in {("X", "X"), ("raw", "raw.X")}:
            return candidate
    known = [name for name, values in (("X", adata.X), ("raw", adata.raw)) if values is not None]
    known += list(adata.layers)
    msg = (
        f"layer='{layer}' is not in {path}. Layers: {', '.join(known)}.{suggest(layer, known)} "
        "Choose one with --layer."
    )
    raise CountsError(msg)


def _layer(adata: AnnData, name: str) -> Candidate:
    return Candidate(f"layers['{name}']", adata.layers[name], adata.var)
