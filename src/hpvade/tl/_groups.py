"""Fractions and intervals of sums of cell types that no level names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import InputError, suggest
from hpvade.tl._calibration import Calibration
from hpvade.tl._deconvolve import Deconvolution, LevelFractions
from hpvade.tl._estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def sum_types(
    answer: Deconvolution,
    groups: Mapping[str, Sequence[str]],
    *,
    calibration: Calibration,
    level: float = 0.9,
) -> LevelFractions:
    """Sum cell types after the fact: the fraction of all T cells, say, with its interval.

    The standard deviation of a sum comes from the covariance of its types; the factor that calibrates it is
    that of all its types' scores pooled. A level that the model was trained with is calibrated by itself.

    Parameters
    ----------
    answer
        Fractions of the known types, without a column of unknown content.
    groups
        Name → cell types to sum.
    calibration
        That of the model that answered.
    level
        Wanted coverage of the intervals.

    Returns
    -------
    Samples × groups.

    Raises
    ------
    InputError
        The answer does not have a type, or has a column of unknown content.
    """
    types = [str(name) for name in answer.fractions]
    if len(types) > answer.covariance.shape[1]:
        msg = "The answer has a column of unknown content; sum the types of one without."
        raise InputError(msg)
    for name in (name for of_group in groups.values() for name in of_group):
        if name not in types:
            msg = f"The answer has no cell type '{name}'. It has: {', '.join(types)}.{suggest(name, types)}"
            raise InputError(msg)
    members = np.array([[name in of_group for of_group in groups.values()] for name in types])
    sums = Estimate(answer.fractions.to_numpy(), answer.covariance).of_groups(members.astype(np.float64))
    tables = LevelFractions(
        *(pd.DataFrame(sums.fractions, index=answer.fractions.index, columns=list(groups)) for _ in range(3))
    )
    for g, name in enumerate(groups):
        pooled = Calibration(np.sort(calibration.scores[:, members[:, g]], axis=None)[:, None])
        bounds = pooled.interval(sums.fractions[:, [g]], sums.sd[:, [g]], level=level)
        tables.lower[name], tables.upper[name] = (bound[:, 0] for bound in bounds)
    return tables
