"""Three sentences: what is in the samples, how sure that is, and what to distrust."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpvade import _keys
from hpvade.deconvolve import FLAGS

if TYPE_CHECKING:
    from hpvade.report._model_accuracy import ModelAccuracy
    from hpvade.results._results import Results

_NAMED = 3  # cell types of the first sentence, samples of the last
_GOOD_R, _FAIR_R = 0.8, 0.5  # mean correlation per type on new mixtures
_FAIR_COVERAGE = 0.8  # of 90 % intervals
_MANY, _SOME = 0.5, 0.05  # shares of samples


class Verdict(NamedTuple):
    """How the answer looks, in a word, and the three sentences."""

    grade: str  # "good", "care", "bad" or "unknown"
    word: str
    sentences: tuple[str, str, str]


def verdict(results: Results, *, of_model: ModelAccuracy | None) -> Verdict:
    """Say what a reader should know first.

    Parameters
    ----------
    results
        The answer.
    of_model
        How the model did on new mixtures; None where that is not known.
    """
    flagged = [str(name) for name, flags in results.qc["flags"].items() if flags]
    grave = results.qc["flags"].map(lambda flags: any(FLAGS[name].is_grave for name in flags)).mean()
    grade, word = _grade(len(flagged) / len(results.qc), grave, of_model)
    return Verdict(grade, word, (_contents(results), _certainty(results), _trust(flagged, results, of_model)))


def _grade(share_flagged: float, share_grave: float, of_model: ModelAccuracy | None) -> tuple[str, str]:
    if share_grave > _MANY or (of_model is not None and not of_model.r_type >= _FAIR_R):
        return "bad", "Do not rely on this"
    if of_model is None:
        return "unknown", "Not judged"
    doubtful = of_model.r_type < _GOOD_R or of_model.coverage < _FAIR_COVERAGE
    if doubtful or share_grave > _SOME or share_flagged > _MANY:
        return "care", "Read with care"
    return "good", "Looks sound"


def _contents(results: Results) -> str:
    mean = results.known.mean().sort_values(ascending=False)
    shown = [f"{name} ({value:.0%})" for name, value in mean.iloc[:_NAMED].items()]
    n = len(results.fractions)
    where = "In the sample" if n == 1 else f"On average over the {n:,} samples"
    told = f"{where}, the largest of {len(mean)} cell types are {_listed(shown)}"
    if results.with_unknown:
        told += (
            f"; {results.fractions[_keys.UNKNOWN].mean():.0%} are cells of no type of the reference, though "
            f"up to {results.qc['unknown_upper'].median():.0%} cannot be ruled out"
        )
    return f"{told}."


def _certainty(results: Results) -> str:
    half = results.known_half_widths
    typical = float(np.nanmedian(half))
    widest = half.median().idxmax()
    return (
        f"A typical fraction is known to ±{_points(typical)} ({results.level:.0%} interval); least sure is "
        f"{widest}, to ±{_points(float(half[widest].median()))}."
    )


def _trust(flagged: list[str], results: Results, of_model: ModelAccuracy | None) -> str:
    n = len(results.qc)
    if not flagged:
        about = "No sample is flagged"
    else:
        shown = _listed(flagged[:_NAMED]) + (" and others" if len(flagged) > _NAMED else "")
        about = f"{len(flagged):,} of {n:,} samples are flagged, see {shown} under Quality"
    if of_model is None:
        return f"{about}; how good the model is cannot be said."
    if not of_model.r_type > 0:
        return f"{about}; on new simulated samples, the model's fractions do not follow the truth at all."
    return (
        f"{about}; on new simulated samples, the model's fractions follow the truth with "
        f"r = {of_model.r_type:.2f} per type, and its 90% intervals hold {of_model.coverage:.0%} of them."
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f} points" if share < 0.1 else f"{share * 100:.0f} points"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
