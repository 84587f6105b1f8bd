"""The mean predictor, a constant estimate that ignores the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._errors import InputError
from hpvade.deconvolve.baselines._method import Method

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def mean_fractions(training_fractions: ArrayLike, n_samples: int) -> NDArray[np.float64]:
    """Predict the mean training fractions for every sample.

    Parameters
    ----------
    training_fractions
        Cell fractions of the training mixtures, shape (n_mixtures, n_types), rows sum to 1.
    n_samples
        Number of samples.

    Returns
    -------
    Cell fractions, shape (n_samples, n_types): one row, repeated; rows sum to 1.

    Raises
    ------
    InputError
        The training fractions are empty, or a row does not sum to 1.

    Examples
    --------
    >>> mean_fractions([[1.0, 0.0], [0.5, 0.5]], 2)
    array([[0.75, 0.25],
           [0.75, 0.25]])
    """
    training = np.asarray(training_fractions, dtype=np.float64)
    if training.ndim != 2 or not training.size:
        msg = f"training_fractions must be (n_mixtures, n_types) and not empty, but is {training.shape}."
        raise InputError(msg)
    sums = training.sum(1)
    if not np.allclose(sums, 1, rtol=0, atol=1e-4):
        worst = int(np.argmax(np.abs(sums - 1)))
        msg = f"Row {worst} of training_fractions sums to {sums[worst]:.6g}; fractions sum to 1."
        raise InputError(msg)
    mean = training.mean(0)
    return np.tile(mean / mean.sum(), (n_samples, 1))


METHOD = Method(
    key="mean",
    name="mean training fraction",
    description="The same fractions for every sample: the mean over the training mixtures.",
    reference="the constant predictor; a method that is not better has learned nothing",
    fractions=lambda data: mean_fractions(data.training_fractions, len(data.bulk_cpm)),
)
