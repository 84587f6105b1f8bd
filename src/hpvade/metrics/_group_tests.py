"""Does a cell type's fraction differ between groups of samples? Rank tests with effect sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from hpvade._errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST = 2  # samples of a group
_MOST_DIFFERENCES = 2_000  # samples of a group whose differences are formed


def compare_groups(fractions: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Compare the fractions of each cell type between groups of samples.

    Two groups: Mann-Whitney's U test. ``effect`` is the rank-biserial correlation: the share of pairs in
    which the second group's sample is higher minus that in which it is lower (Kerby, 2014); ``difference``
    is the median of all differences second - first (Hodges & Lehmann, 1963), of a group with more than 2,000
    samples those of a random 2,000. More groups: Kruskal and Wallis's H test; ``effect`` is
    ε² = H / (n - 1), 0 to 1 (Tomczak & Tomczak, 2014). Fractions of a sample sum to 1: where one type rises,
    others fall.

    Parameters
    ----------
    fractions
        Samples × cell types.
    groups
        Group of each sample, in any order; samples that it lacks, or whose group is missing, are left out.

    Returns
    -------
    Index: cell type. ``median_<group>`` for each group in sorted order; ``difference`` (two groups only),
    ``effect``, ``p``, and ``q``, p adjusted over types for the false discovery rate (Benjamini & Hochberg,
    1995). A type that is the same in all samples has NaN for the last three.

    Raises
    ------
    InputError
        As `check_groups` says.
    """
    of_sample = groups.dropna().astype(str)
    of_sample = of_sample[of_sample.index.isin(fractions.index)]
    check_groups(of_sample)
    names = sorted(of_sample.unique())
    parts = [fractions.loc[of_sample.index[of_sample == name]].to_numpy() for name in names]
    table = pd.DataFrame(
        {f"median_{name}": np.median(part, axis=0) for name, part in zip(names, parts, strict=True)},
        index=fractions.columns.rename("cell_type"),
    )
    compare = _two if len(names) == 2 else _several
    varies = np.ptp(np.concatenate(parts), axis=0) > 0
    told = {name: np.full(len(table), np.nan) for name in ("difference", "effect", "p", "q")}
    for k in np.flatnonzero(varies):
        told["difference"][k], told["effect"][k], told["p"][k] = compare([part[:, k] for part in parts])
    if varies.any():
        told["q"][varies] = stats.false_discovery_control(told["p"][varies])
    if len(names) > 2:
        del told["difference"]
    return table.assign(**told)


def check_groups(groups: pd.Series) -> None:
    """Check that groups can be compared.

    Parameters
    ----------
    groups
        Group of each sample.

    Raises
    ------
    InputError
        There are not two groups, or a group has fewer than two samples.
    """
    n = groups.value_counts()
    if len(n) < 2 or n.min() < _FEWEST:
        found = ", ".join(f"'{name}' ({n[name]})" for name in sorted(n.index)) or "none"
        msg = f"Groups to compare must be two or more, each of {_FEWEST} samples or more. Found: {found}."
        raise InputError(msg)


def _two(parts: list[NDArray[np.float64]]) -> tuple[float, float, float]:
    first, second = parts
    test = stats.mannwhitneyu(second, first)
    effect = 2 * test.statistic / (len(first) * len(second)) - 1
    rng = np.random.default_rng(0)
    some = [rng.permutation(part)[:_MOST_DIFFERENCES] for part in parts]
    difference = np.median(some[1][:, None] - some[0][None, :])
    return float(difference), float(effect), float(test.pvalue)


def _several(parts: list[NDArray[np.float64]]) -> tuple[float, float, float]:
    test = stats.kruskal(*parts)
    return np.nan, float(test.statistic / (sum(map(len, parts)) - 1)), float(test.pvalue)
