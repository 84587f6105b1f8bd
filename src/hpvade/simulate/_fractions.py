"""Cell fractions of mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._errors import LabelError, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.simulate._config import SimulateConfig

_PRIOR_STRENGTH = 20.0  # pseudo-cells behind a user's prior: it may be wrong by a factor of two
_MAX_ABSENT = 0.7  # a sparse mixture lacks each type with a probability drawn between 0 and this


def draw_fractions(
    n_mixtures: int, cell_types: Sequence[str], *, rng: np.random.Generator, config: SimulateConfig
) -> NDArray[np.float64]:
    """Draw cell fractions: Dirichlet, some of them around the prior, some with absent types.

    Returns
    -------
    Fractions, shape (n_mixtures, n_types); rows sum to 1.

    Raises
    ------
    LabelError
        ``config.prior`` names a type that is not in ``cell_types``.
    """
    n_types = len(cell_types)
    fractions = rng.dirichlet(np.full(n_types, config.concentration), n_mixtures)
    if config.prior is not None:
        informed = rng.random(n_mixtures) < 0.5
        alpha = _PRIOR_STRENGTH * _prior_vector(config.prior, cell_types)
        fractions[informed] = rng.dirichlet(alpha, int(informed.sum()))
    absent = rng.random((n_mixtures, n_types)) < rng.uniform(0, _MAX_ABSENT, (n_mixtures, 1))
    absent[rng.random(n_mixtures) >= config.sparse] = False
    absent[absent.all(1)] = False
    fractions[absent] = 0
    return fractions / fractions.sum(1, keepdims=True)


def _prior_vector(prior: dict[str, float], cell_types: Sequence[str]) -> NDArray[np.float64]:
    """Return the prior in the order of the cell types, normalised; unnamed types get a small share."""
    unknown = [name for name in prior if name not in cell_types]
    if unknown:
        msg = f"The prior names '{unknown[0]}', which is not a cell type.{suggest(unknown[0], cell_types)}"
        raise LabelError(msg)
    vector = np.array([prior.get(name, 0.0) for name in cell_types]) + 0.01
    return vector / vector.sum()
