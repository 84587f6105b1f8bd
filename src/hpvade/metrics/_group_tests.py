"""Rank tests of cell fractions between groups of samples, with effect sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from hpvade._errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_SAMPLES = 2  # per group
_MAX_SAMPLES = 2_000  # per group, of which all differences are formed


def compare_groups(fractions: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Compare the fractions of each cell type between groups of samples.

    Two groups are compared with the Mann-Whitney U test. ``effect`` is the rank-biserial correlation: the
    share of pairs in which the sample of the second group is higher, minus the share in which it is lower
    (Kerby, 2014). ``difference`` is the median of all pairwise differences, second - first (Hodges & Lehmann,
    1963), over a random 2,000 samples of any larger group. More than two groups are compared with the
    Kruskal-Wallis H test; ``effect`` is ε² = H / (n - 1), 0 to 1 (Tomczak & Tomczak, 2014). Fractions of a
    sample sum to 1: if one type rises, others fall.

    Parameters
    ----------
    fractions
        Samples × cell types.
    groups
        Group of each sample, in any order. Samples without a group are excluded.

    Returns
    -------
    Index: cell type. ``median_<group>`` for each group in sorted order; ``difference`` (two groups only),
    ``effect``, ``p``, and ``q``, p adjusted over types for the false discovery rate (Benjamini & Hochberg,
    1995). ``effect``, ``p`` and ``q`` of a type that is constant over samples are NaN.

    Raises
    ------
    InputError
        The groups do not pass `check_groups`.
    """
    groups = groups.dropna().astype(str)
    groups = groups[groups.index.isin(fractions.index)]
    check_groups(groups)
    names = sorted(groups.unique())
    parts = [fractions.loc[groups.index[groups == name]].to_numpy() for name in names]
    table = pd.DataFrame(
        {f"median_{name}": np.median(part, axis=0) for name, part in zip(names, parts, strict=True)},
        index=fractions.columns.rename("cell_type"),
    )
    compare = _two if len(names) == 2 else _several
    varies = np.ptp(np.concatenate(parts), axis=0) > 0
    tests = {name: np.full(len(table), np.nan) for name in ("difference", "effect", "p", "q")}
    for k in np.flatnonzero(varies):
        tests["difference"][k], tests["effect"][k], tests["p"][k] = compare([part[:, k] for part in parts])
    if varies.any():
        tests["q"][varies] = stats.false_discovery_control(tests["p"][varies])
    if len(names) > 2:
        del tests["difference"]
    return table.assign(**tests)


def check_groups(groups: pd.Series) -> None:
    """Check that groups can be compared.

    Parameters
    ----------
    groups
        Group of each sample.

    Raises
    ------
    InputError
        There are fewer than two groups, or a group has fewer than two samples.
    """
    n = groups.value_counts()
    if len(n) < 2 or n.min() < _MIN_SAMPLES:
        found = ", ".join(f"'{name}' ({n[name]})" for name in sorted(n.index)) or "none"
        msg = (
            f"A comparison needs at least two groups of at least {_MIN_SAMPLES} samples each. Found: {found}."
        )
        raise InputError(msg)


def _two(parts: list[NDArray[np.float64]]) -> tuple[float, float, float]:
    first, second = parts
    test = stats.mannwhitneyu(second, first)
    effect = 2 * test.statistic / (len(first) * len(second)) - 1
    rng = np.random.default_rng(0)
    first, second = (rng.permutation(part)[:_MAX_SAMPLES] for part in parts)
    difference = np.median(second[:, None] - first[None, :])
    return float(difference), float(effect), float(test.pvalue)


def _several(parts: list[NDArray[np.float64]]) -> tuple[float, float, float]:
    test = stats.kruskal(*parts)
    return np.nan, float(test.statistic / (sum(map(len, parts)) - 1)), float(test.pvalue)
