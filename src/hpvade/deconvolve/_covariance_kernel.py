"""The compiled loop of `fraction_covariance`: sums over the genes of products of slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sums_of_slopes(
    profiles: NDArray[np.float64],
    *,
    cell_type: NDArray[np.integer],
    share: NDArray[np.float64],
    content: NDArray[np.float64],
    expected: NDArray[np.float64],
    weights: tuple[NDArray[np.float64], NDArray[np.float64]],
    noise_floor: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ_g w_g a_gk a_gj for two weights of the genes, each of shape (n, n_types, n_types).

    Here a_k is the slope of log((S·r)_g + c) in the fraction of type k < n_types - 1, where the last type
    makes up the difference; the last one is that of the offset, 1.

    Parameters
    ----------
    profiles
        Profile of each state, shape (n_states, n_genes), CPM.
    cell_type
        Type of each state, shape (n_states,).
    share
        Share of each state in its type's profile, shape (n, n_states).
    content
        RNA content of each type over that of all cells together, shape (n, n_types).
    expected
        S·r, shape (n, n_genes), CPM.
    weights
        Shape (n, n_genes) each.
    noise_floor
        c, CPM.
    """
    n_types = content.shape[1]
    first, second = (np.zeros((len(share), n_types, n_types)) for _ in range(2))
    _sum(profiles, cell_type, share, content, expected, *weights, noise_floor, first, second)
    return first, second


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _sum(  # noqa: PLR0917 - compiled code takes arrays
    profiles: NDArray[np.float64],
    cell_type: NDArray[np.integer],
    share: NDArray[np.float64],
    content: NDArray[np.float64],
    expected: NDArray[np.float64],
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    noise_floor: float,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> None:
    n_types, n_genes = content.shape[1], expected.shape[1]
    for i in range(len(share)):
        slope = np.zeros((n_types, n_genes))
        for state in range(len(cell_type)):
            of_type, part, profile = slope[cell_type[state]], share[i, state], profiles[state]
            for g in range(n_genes):
                of_type[g] += part * profile[g]
        for k in range(n_types):
            for g in range(n_genes):
                x = expected[i, g]
                slope[k, g] = (slope[k, g] - x) / (x + noise_floor) * content[i, k]
        for k in range(n_types - 1):
            for g in range(n_genes):
                slope[k, g] -= slope[n_types - 1, g]
        slope[n_types - 1] = 1.0
        for k in range(n_types):
            for j in range(k + 1):
                a = b = 0.0
                for g in range(n_genes):
                    product = slope[k, g] * slope[j, g]
                    a += one[i, g] * product
                    b += other[i, g] * product
                first[i, k, j] = first[i, j, k] = a
                second[i, k, j] = second[i, j, k] = b
