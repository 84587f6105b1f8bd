"""Which cells are held out: by donor where donors are known, stratified by type always."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def split_cells(
    cell_type: Sequence[str],
    *,
    heldout: float,
    rng: np.random.Generator,
    donor: Sequence[str] | None = None,
) -> NDArray[np.str_]:
    """Hold out a share of the cells of every type.

    With two donors or more, whole donors are held out (at least one, and no more than the share allows
    beyond the first), so that validation cells come from people the model has not seen. A type that would
    then be missing on either side is split by cells instead.

    Parameters
    ----------
    cell_type
        Cell type of each cell, length n_cells; at least two cells of each type.
    heldout
        Share of cells to hold out.
    rng
        Source of randomness.
    donor
        Donor of each cell, length n_cells.

    Returns
    -------
    ``"train"`` or ``"heldout"`` for each cell, shape (n_cells,).
    """
    types = np.asarray(cell_type, dtype=str)
    out = np.zeros(types.size, dtype=bool)
    if donor is not None:
        out = np.isin(np.asarray(donor, dtype=str), _heldout_donors(donor, heldout=heldout, rng=rng))
    for name in np.unique(types):
        cells = np.flatnonzero(types == name)
        if out[cells].all() or not out[cells].any():
            n_out = min(max(1, round(heldout * cells.size)), cells.size - 1)
            out[cells] = False
            out[rng.permutation(cells)[:n_out]] = True
    return np.where(out, _keys.HELDOUT, _keys.TRAIN)


def _heldout_donors(donor: Sequence[str], *, heldout: float, rng: np.random.Generator) -> list[str]:
    """Donors to hold out: smallest share first reached in random order; none if there is only one donor."""
    cells_of = pd.Series(np.asarray(donor, dtype=str)).value_counts().sort_index()
    if len(cells_of) < 2:
        return []
    budget = heldout * len(donor)
    chosen: list[str] = []
    used = 0
    for name in rng.permutation(cells_of.index.to_numpy()):
        if used + cells_of[name] <= budget:
            chosen.append(str(name))
            used += int(cells_of[name])
    return chosen or [str(cells_of.idxmin())]
