"""Fractions and intervals of sums of cell types that no level names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._errors import InputError, suggest
from hpvade.deconvolve._estimate import Estimate
from hpvade.deconvolve._intervals import Calibration
from hpvade.deconvolve._result import Deconvolution, LevelFractions

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        A group is no list or empty, the answer lacks a type or has a column of unknown content, or ``level``
        is out of range.
    """
    types = [str(name) for name in answer.fractions]
    if len(types) > answer.covariance.shape[1]:
        msg = (
            "The answer has a column of unknown content. Answer without it: "
            'model.config = model.config.updated({"deconvolve": {"with_unknown": False}}).'
        )
        raise InputError(msg)
    if not 0 < level < 1:
        msg = f"level={level} must lie between 0 and 1."
        raise InputError(msg)
    for group, names in groups.items():
        if isinstance(names, str) or not isinstance(names, Sequence) or not names:
            msg = f"The group '{group}' must be a list of cell types, but is {names!r}."
            raise InputError(msg)
        for name in names:
            if name not in types:
                msg = (
                    f"The answer has no cell type '{name}' for the group '{group}'. It has: "
                    f"{', '.join(types)}.{suggest(str(name), types)}"
                )
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
