"""Three sentences: what is in the samples, how sure that is, and what to distrust."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpvade._warnings import DegenerateMetricWarning
from hpvade.metrics import r_type
from hpvade.tl import ALL_TYPES, TrialTables, coverage

if TYPE_CHECKING:
    from hpvade.model import HPVADE
    from hpvade.report._results import Results

_NAMED = 3  # cell types of the first sentence, samples of the last
_JUDGED_LEVEL = 0.9
_GOOD_R, _FAIR_R = 0.8, 0.5  # mean correlation per type on held-out mixtures
_MANY_FLAGGED = 0.5


class Verdict(NamedTuple):
    """How the answer looks, in a word, and the three sentences."""

    grade: str  # "good", "care" or "bad"
    word: str
    sentences: tuple[str, str, str]


class Skill(NamedTuple):
    """How a model did on mixtures it had not seen: mean r per type, and coverage of its 90% intervals."""

    r_type: float
    coverage: float


def skill(model: HPVADE) -> Skill | None:
    """Judge a model by its trial; None for one that was not trained."""
    if model.calibration is None:
        return None
    trial = TrialTables.of(model.heldout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateMetricWarning)  # the report's table of types shows them
        r = r_type(trial.fraction, trial.truth)
    held = coverage(model.heldout, model.calibration)[ALL_TYPES]
    return Skill(r, float(held[_JUDGED_LEVEL]))


def verdict(results: Results, *, of_model: Skill | None) -> Verdict:
    """Say what a reader should know first.

    Parameters
    ----------
    results
        The answer.
    of_model
        As `skill` returns it; None where the model is not to be found.
    """
    flagged = [str(name) for name, flags in results.qc["flags"].items() if flags]
    grade, word = _grade(len(flagged) / len(results.qc), of_model)
    return Verdict(grade, word, (_contents(results), _certainty(results), _trust(flagged, results, of_model)))


def _grade(share_flagged: float, of_model: Skill | None) -> tuple[str, str]:
    r = None if of_model is None else of_model.r_type
    if share_flagged > _MANY_FLAGGED or (r is not None and not r >= _FAIR_R):
        return "bad", "Do not rely on this"
    if share_flagged or (r is not None and r < _GOOD_R):
        return "care", "Read with care"
    return "good", "Looks sound"


def _contents(results: Results) -> str:
    mean = results.known.mean().sort_values(ascending=False)
    shown = [f"{name} ({value:.0%})" for name, value in mean.iloc[:_NAMED].items()]
    n = len(results.fractions)
    where = "In the sample" if n == 1 else f"On average over the {n:,} samples"
    return f"{where}, the largest of {len(mean)} cell types are {_listed(shown)}."


def _certainty(results: Results) -> str:
    half = results.half_widths
    level = float(results.run["decisions"]["deconvolve"]["level"])
    typical = float(np.nanmedian(half))
    widest = half.median().idxmax()
    return (
        f"A typical fraction is known to ±{_points(typical)} ({level:.0%} interval); least sure is {widest}, "
        f"to ±{_points(float(half[widest].median()))}."
    )


def _trust(flagged: list[str], results: Results, of_model: Skill | None) -> str:
    n = len(results.qc)
    if not flagged:
        about = "No sample is flagged"
    else:
        shown = _listed(flagged[:_NAMED]) + (" and others" if len(flagged) > _NAMED else "")
        about = f"{len(flagged):,} of {n:,} samples are flagged, see {shown} under Quality"
    if of_model is None:
        return f"{about}; how good the model is cannot be said, because its folder is not at hand."
    return (
        f"{about}; on simulated samples that it had not seen, the model's fractions follow the truth with "
        f"r = {of_model.r_type:.2f} per type, and its 90% intervals hold {of_model.coverage:.0%} of them."
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f} points" if share < 0.1 else f"{share * 100:.0f} points"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
