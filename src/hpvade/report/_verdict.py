"""The summary that a reader sees first: composition, uncertainty, reliability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpvade.deconvolve import FLAGS
from hpvade.report._model_accuracy import JUDGED_COVERAGE
from hpvade.report._numbers import count, listed, percent, percentage_points

if TYPE_CHECKING:
    from hpvade.report._model_accuracy import ModelAccuracy
    from hpvade.results import Results

_N_NAMED = 3  # cell types and flagged samples
_GOOD_R, _FAIR_R = 0.8, 0.5  # mean correlation per type on new mixtures
_FAIR_COVERAGE = 0.8  # of 90% intervals
_MANY, _SOME = 0.5, 0.05  # shares of samples
_LARGE_UNKNOWN, _SMALL_UPPER = 0.3, 0.3  # share of unknown cells, and its upper bound in a complete sample
_PRECISE = 0.1  # half width of an interval
_N_DOUBTED = 6  # cell types named as less certain
_INCOMPLETE = "incomplete_reference"


class Verdict(NamedTuple):
    """The grade of the results, its heading, and three paragraphs of one or two sentences."""

    grade: str  # "good", "care", "bad" or "unknown"
    heading: str
    sentences: tuple[str, str, str]


def verdict(results: Results, *, accuracy: ModelAccuracy | None) -> Verdict:
    """Summarise the results.

    Parameters
    ----------
    results
        The results.
    accuracy
        Accuracy of the model; None if it is not available.
    """
    flagged = [str(name) for name, flags in results.qc["flags"].items() if flags]
    grave = results.qc["flags"].map(lambda flags: any(FLAGS[name].is_grave for name in flags)).mean()
    grade, heading = _grade(results, len(flagged) / len(results.qc), grave, accuracy)
    reliability = f"{_flagged(flagged, n_samples=len(results.qc))} {_accuracy(accuracy)}"
    return Verdict(grade, heading, (_composition(results), _uncertainty(results), reliability))


def _grade(
    results: Results, share_flagged: float, share_grave: float, accuracy: ModelAccuracy | None
) -> tuple[str, str]:
    incomplete = results.qc["flags"].map(lambda flags: _INCOMPLETE in flags).mean()
    if share_grave > _MANY or (accuracy is not None and not accuracy.r_type >= _FAIR_R):
        return "bad", "Not reliable"
    if accuracy is None:
        return "unknown", "Not assessed"
    if incomplete > _MANY:
        return "care", "The reference lacks cell types of these samples"
    doubtful = (
        accuracy.r_type < _GOOD_R
        or accuracy.per_type["r"].min() < _FAIR_R
        or accuracy.judged_coverage < _FAIR_COVERAGE
        or not (results.qc["unknown_upper"] <= _SMALL_UPPER).mean() >= 1 - _MANY
        or results.known_half_widths.median().max() > _PRECISE
    )
    if doubtful or incomplete > _SOME or share_grave > _SOME or share_flagged > _MANY:
        return "care", "Interpret with caution"
    return "good", "No major problems detected"


def _composition(results: Results) -> str:
    mean = results.known.mean().sort_values(ascending=False)
    named = [f"{name} ({percent(value)})" for name, value in mean.iloc[:_N_NAMED].items()]
    n = len(results.fractions)
    over = "" if n == 1 else f", averaged over {count(n, 'sample')}"
    text = f"The most abundant of {count(len(mean), 'cell type')} are {listed(named)}{over}."
    if not results.with_unknown:
        text += " These are shares among the cell types of the reference."
    if results.qc["unknown"].isna().all():
        return f"{text} Cells that the reference lacks were not looked for."
    unknown = _unknown(results)
    large = results.qc["unknown"].mean() > _LARGE_UNKNOWN
    return f"{unknown} {text}" if large else f"{text} {unknown}"


def _unknown(results: Results) -> str:
    """Say how many cells the reference lacks, and what they resemble."""
    qc = results.qc
    share, upper = qc["unknown"].mean(), qc["unknown_upper"].mean()
    if (qc["unknown_lower"] == qc["unknown_upper"]).all():
        text = f"As given, {percent(share)} of the cells belong to no cell type of the reference."
    else:
        text = (
            f"An estimated {percent(share)} of the cells belong to no cell type of the reference (mean upper "
            f"bound: {percent(upper)})."
        )
    counts = results.likeness
    if counts.empty:
        return text
    of_all = f"of {count(len(results.qc), 'sample')}"
    named = [f"{words} (in {n:,} {of_all})" for words, n in counts.iloc[:2].items()]
    return f"{text} They resemble {' and '.join(named)}."


def _uncertainty(results: Results) -> str:
    half = results.known_half_widths
    widest = half.median().idxmax()
    median = percentage_points(float(np.nanmedian(half)))
    text = (
        f"The median {percent(results.coverage)} interval of a cell type is ±{median}. "
        f"Intervals are widest for {widest} (median: ±{percentage_points(float(half[widest].median()))})."
    )
    doubted = half.median()[half.median() > _PRECISE].sort_values(ascending=False).index
    if not len(doubted):
        return text
    names = [str(name) for name in doubted[:_N_DOUBTED]]
    if len(doubted) > _N_DOUBTED:
        names.append(f"{len(doubted) - _N_DOUBTED} more")
    return f"{text} Less certain than ±{percentage_points(_PRECISE)}: {listed(names)}."


def _flagged(names: list[str], *, n_samples: int) -> str:
    if not names:
        return "No sample is flagged."
    flagged = f"{len(names):,} of {count(n_samples, 'sample')} {'is' if len(names) == 1 else 'are'} flagged"
    some = ", including " if len(names) > _N_NAMED else ": "
    return f"{flagged}{some}{listed(names[:_N_NAMED])} (see Quality)."


def _accuracy(accuracy: ModelAccuracy | None) -> str:
    if accuracy is None:
        return "Model accuracy is not available."
    if not accuracy.r_type > 0:
        return "On new simulated samples, estimated fractions do not correlate with the true fractions."
    text = (
        f"On new simulated samples, the mean correlation per cell type is r\u00a0=\u00a0{accuracy.r_type:.2f}"
    )
    if not math.isnan(accuracy.judged_coverage):
        covered, nominal = percent(accuracy.judged_coverage), percent(JUDGED_COVERAGE)
        text += f", and {covered} of true fractions lie within the {nominal} intervals"
    weak = accuracy.per_type.index[~(accuracy.per_type["r"] >= _FAIR_R)]
    if len(weak):
        text += f"; it is below {_FAIR_R:g} for {listed([str(name) for name in weak[:_N_DOUBTED]])}"
    return f"{text}."
