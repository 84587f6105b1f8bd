"""Fractions and intervals of sums of cell types that are not a level of the hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import InputError, suggest
from hpvade.deconvolve._estimate import Estimate
from hpvade.deconvolve._intervals import Calibration, check_coverage
from hpvade.deconvolve._result import LevelFractions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def sum_types(
    fractions: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    *,
    covariance: NDArray[np.float64],
    calibration: Calibration,
    coverage: float = 0.9,
    unknown: pd.DataFrame | None = None,
) -> LevelFractions:
    """Sum cell types, for example to the fraction of all T cells, with intervals.

    The standard deviation of a sum comes from the covariance of its types. It is calibrated with the pooled
    scores of these types, whereas levels that the model was trained with have scores of their own.

    Parameters
    ----------
    fractions
        Cell fractions, samples × cell types; with the column of unknown content if ``unknown`` is given.
    groups
        Name → cell types to sum.
    covariance
        Their covariance before calibration, shape (n_samples, n_types, n_types).
    calibration
        The calibration of the model that estimated them.
    coverage
        Coverage of the intervals, between 0 and 1.
    unknown
        Share of unknown cells in each sample, and its bounds; None: the fractions are shares among the known
        types.

    Returns
    -------
    Samples × groups.

    Raises
    ------
    InputError
        A group is not a list or is empty, a type is missing, or ``coverage`` is out of range.
    """
    if unknown is not None:
        fractions = fractions.drop(columns=_keys.UNKNOWN).div(1 - unknown.iloc[:, 0], axis=0)
    types = [str(name) for name in fractions]
    if len(types) > covariance.shape[1]:
        msg = (
            f"The fractions have a column '{_keys.UNKNOWN}'. Pass unknown=, its share and bounds, or "
            "deconvolve with with_unknown=False."
        )
        raise InputError(msg)
    check_coverage(coverage)
    for group, names in groups.items():
        if isinstance(names, str) or not isinstance(names, Sequence) or not names:
            msg = f"The group '{group}' must be a list of cell types, not {names!r}."
            raise InputError(msg)
        for name in names:
            if name not in types:
                msg = (
                    f"There is no cell type '{name}' for the group '{group}'. Cell types: "
                    f"{', '.join(types)}.{suggest(str(name), types)}"
                )
                raise InputError(msg)
    members = np.array([[name in group for group in groups.values()] for name in types])
    values = fractions.to_numpy()
    sums = Estimate(values, covariance, values).sum_groups(members.astype(np.float64))
    tables = LevelFractions(
        *(pd.DataFrame(sums.fractions, index=fractions.index, columns=list(groups)) for _ in range(3))
    )
    for g, name in enumerate(groups):
        pooled = Calibration(np.sort(calibration.scores[:, members[:, g]], axis=None)[:, None])
        bounds = pooled.interval(sums.fractions[:, [g]], sums.sd[:, [g]], coverage=coverage)
        tables.lower[name], tables.upper[name] = (bound[:, 0] for bound in bounds)
    if unknown is None:
        return tables
    return LevelFractions(*(table[list(groups)] for table in tables.with_unknown(unknown)))
