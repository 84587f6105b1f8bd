"""Unknown content: the share of a sample's cells that belong to no cell type of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from hpvade._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NAMED = 0.15  # share of the cells, from which they are named
# Errors on real samples with types left out of the reference; see docs/unknown.md.
_SMALLEST = 0.6  # lower bound relative to the share
_HIDDEN = ((0.2, 0.3), (0.19, 0.26))  # share → what may be hidden beside it

Group = tuple[int, ...]  # profiles of one lineage, the best first


@dataclass(frozen=True)
class ForeignContent:
    """What samples hold besides the types of the reference.

    Attributes
    ----------
    groups
        Groups of profiles that were fitted to each sample.
    share, rna_share
        Share of the cells, and of their RNA, that each profile has, shape (n_samples, n_profiles).
    linear
        Expression that these cells contribute, shape (n_samples, n_genes), in the samples' unit.
    unknown, rna_unknown
        Share of the cells, and of their RNA, that belong to no type of the reference, shape (n_samples,).
    is_given, is_searched
        Whether a sample's share was given, and whether foreign content was looked for, shape (n_samples,).
    """

    groups: list[tuple[Group, ...]]
    share: NDArray[np.float64]
    rna_share: NDArray[np.float64]
    linear: NDArray[np.float64]
    unknown: NDArray[np.float64]
    rna_unknown: NDArray[np.float64]
    is_given: NDArray[np.bool_]
    is_searched: NDArray[np.bool_]

    def given(self, purity: NDArray[np.float64]) -> ForeignContent:
        """Set the share of unknown cells where it is known, shape (n_samples,); NaN: keep the estimate.

        What was found is scaled; where nothing was found, the cells resemble no profile, have average RNA
        content and contribute nothing that could be subtracted.
        """
        is_given = ~np.isnan(purity)
        unknown = np.where(is_given, purity, self.unknown)
        odds = _odds(unknown) / np.where(self.unknown > 0, _odds(self.unknown), 1)
        rna_odds = np.where(self.unknown > 0, _odds(self.rna_unknown), 1) * odds
        rna_unknown = np.where(is_given, rna_odds / (1 + rna_odds), self.rna_unknown)
        cells, rna = (
            np.divide(new, old, out=np.ones_like(old), where=old > 0)[:, None]
            for new, old in ((unknown, self.unknown), (rna_unknown, self.rna_unknown))
        )
        return ForeignContent(
            self.groups,
            self.share * cells,
            self.rna_share * rna,
            self.linear * rna,
            unknown,
            rna_unknown,
            is_given,
            self.is_searched,
        )


def check_purity(purity: pd.Series) -> None:
    """Refuse shares of unknown cells that are not at least 0 and below 1, or samples listed twice.

    Raises
    ------
    InputError
        The message names the sample.
    """
    wrong = purity.index[~purity.between(0, 1, inclusive="left").to_numpy()]
    if len(wrong):
        value = float(purity[wrong[0]])
        hint = " Divide percentages by 100." if value > 1 else ""
        msg = f"The purity of sample '{wrong[0]}' is {value:g}. It must be at least 0 and below 1.{hint}"
        raise InputError(msg)
    if purity.index.has_duplicates:
        msg = f"The purity of sample '{purity.index[purity.index.duplicated()][0]}' is listed twice."
        raise InputError(msg)


def unknown_table(
    found: ForeignContent | None,
    *,
    words: Sequence[str],
    genes: Sequence[str],
    coverage: float,
) -> pd.DataFrame:
    """Describe the unknown content of samples.

    Parameters
    ----------
    found
        What the samples hold besides the known types; None: it was not estimated.
    words
        Name of each profile for a reader.
    genes
        Genes with the largest excess in each sample, joined by ``;``.
    coverage
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    Samples × ``unknown``, ``unknown_lower``, ``unknown_upper`` (shares of cells; NaN: not estimated),
    ``unknown_like`` (what the cells resemble, separated by ``; ``; empty without evidence),
    ``unknown_like_share`` (the share of the cells that each of them accounts for) and ``unknown_genes``.
    """
    n = len(genes)
    share = lower = upper = np.full(n, np.nan)
    like = [("", "")] * n
    if found is not None:
        share = found.unknown
        lower, upper = _interval(share, coverage=coverage)
        upper = np.where(found.is_searched, upper, 1)  # otherwise anything may be in the sample
        lower, upper = (np.where(found.is_given, share, bound) for bound in (lower, upper))
        like = [_likeness(found, i, words=words) for i in range(n)]
    return pd.DataFrame(
        {
            "unknown": share,
            "unknown_lower": lower,
            "unknown_upper": upper,
            "unknown_like": [words for words, _ in like],
            "unknown_like_share": [shares for _, shares in like],
            "unknown_genes": list(genes),
        }
    )


def _interval(
    share: NDArray[np.float64], *, coverage: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of unknown content, from its errors on real samples with types left out of the reference.

    The bounds are those of a coverage of 90%, scaled as the quantiles of a normal distribution.
    """
    scale = norm.ppf((1 + coverage) / 2) / norm.ppf(0.95)
    below = scale * (1 - _SMALLEST) * share
    above = scale * np.interp(share, *_HIDDEN)
    return np.clip(share - below, 0, share), np.clip(share + above, share, 1)


def _odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return share / (1 - share)


def _likeness(found: ForeignContent, sample: int, *, words: Sequence[str]) -> tuple[str, str]:
    """Name what the foreign cells of a sample resemble, the most abundant first, and their shares."""
    share = found.share[sample]
    named = [
        (float(share[list(group)].sum()), words[max(group, key=lambda j: share[j])])
        for group in found.groups[sample]
    ]
    named = sorted((pair for pair in named if pair[0] >= _NAMED), reverse=True)
    return "; ".join(word for _, word in named), "; ".join(f"{size:.3f}" for size, _ in named)
