"""The compiled loops of `FractionFit`: what is done gene by gene, in one pass over the genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sums may be taken in any order, so that loops become vector instructions; infinity stays infinity.
_FAST = {"contract", "reassoc", "nsz", "arcp"}


class GeneWeights(NamedTuple):
    """How much each gene has to say in the derivatives of the objective, and sums over the genes.

    Of w ρ(e), half the slope is s and half the curvature c; x is the expected expression, f the noise floor.
    """

    slope: NDArray[np.float64]  # s / (x + f), (n, n_genes)
    of_offset: NDArray[np.float64]  # c / (x + f), (n, n_genes)
    square: NDArray[np.float32]  # (c + s) / (x + f)², (n, n_genes)
    square_mean: NDArray[np.float64]  # (c + s) x / (x + f)², (n, n_genes)
    sums: NDArray[np.float64]  # of s, s x / (x + f), c, c x / (x + f), (c + s) x² / (x + f)²; (n, 5)


def residuals(
    log_bulk: NDArray[np.float64],
    log_expected: NDArray[np.float64],
    *,
    offset: NDArray[np.float64],
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Turn ``log_expected`` into the residuals e = log b − log x − o, and return Σ_g w_g ρ(e_g), shape (n,).

    ρ(e) is e², and linear beyond ``limit``, shape (n,); the first two have shape (n, n_genes).
    """
    objective = np.empty(len(log_bulk))
    _residuals(log_bulk, log_expected, offset, weight, limit, objective)
    return objective


def gene_weights(
    residual: NDArray[np.float64],
    expected: NDArray[np.float64],
    *,
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
    noise_floor: float,
    convex: bool,
) -> GeneWeights:
    """Weigh the genes for a Newton step.

    ``convex`` leaves out second derivatives of the residuals and takes Huber's weights for the curvature of ρ
    (Gauss–Newton): c is then w min(1, limit / |e|), and c stands for c + s.
    """
    room = [np.empty_like(expected, dtype=dtype) for dtype in (float, float, np.float32, float)]
    slope, of_offset, square, square_mean = room
    weights = GeneWeights(slope, of_offset, square, square_mean, np.empty((len(expected), 5)))
    _gene_weights(residual, expected, weight, limit, noise_floor, convex, *weights)
    return weights


def curvature_of(
    products: NDArray[np.float64],
    *,
    crossed: NDArray[np.float64],
    constant: NDArray[np.float64],
    rna: NDArray[np.float64],
    pull: NDArray[np.float64],
    of_both: NDArray[np.float64],
    of_offset: NDArray[np.float64],
    prior_strength: float,
) -> NDArray[np.float64]:
    """Put half the Hessian together, shape (n, n_types + 1, n_types + 1); the offset comes last.

    Its part of the logits k and j is r_k r_j (P_kj − X_k − X_j + q) + r_k s_j + r_j s_k − δ_kj s_k, and the
    prior.

    Parameters
    ----------
    products
        P_kj of all k ≤ j, shape (n, n_pairs).
    crossed, constant
        X, shape (n, n_types), and q, shape (n,).
    rna, pull
        r and s, shape (n, n_types).
    of_both, of_offset
        Logits by offset, shape (n, n_types), and offset by offset, shape (n,).
    prior_strength
        λ.
    """
    n, n_types = rna.shape
    curvature = np.empty((n, n_types + 1, n_types + 1))
    _put_together(products, crossed, constant, rna, pull, prior_strength, curvature)
    curvature[:, :-1, -1] = curvature[:, -1, :-1] = of_both
    curvature[:, -1, -1] = of_offset
    return curvature


@numba.njit(fastmath=_FAST, cache=True, nogil=True, error_model="numpy")
def _residuals(  # noqa: PLR0917 - compiled code takes arrays
    log_bulk: NDArray[np.float64],
    log_expected: NDArray[np.float64],
    offset: NDArray[np.float64],
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
    objective: NDArray[np.float64],
) -> None:
    for i in range(log_bulk.shape[0]):
        b, e, o, most, total = log_bulk[i], log_expected[i], offset[i], limit[i], 0.0
        for g in range(b.shape[0]):
            residual = b[g] - e[g] - o
            e[g] = residual
            size = abs(residual)
            within = size if size < most else most
            total += weight[g] * within * (2 * size - within)
        objective[i] = total


@numba.njit(fastmath=_FAST, cache=True, nogil=True, error_model="numpy")
def _gene_weights(  # noqa: PLR0913, PLR0917 - compiled code takes arrays
    residual: NDArray[np.float64],
    expected: NDArray[np.float64],
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
    noise_floor: float,
    convex: bool,  # noqa: FBT001
    slope: NDArray[np.float64],
    of_offset: NDArray[np.float64],
    square: NDArray[np.float32],
    square_mean: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    for i in range(residual.shape[0]):
        e, x, most = residual[i], expected[i], limit[i]
        s1 = s2 = c1 = c2 = q2 = 0.0
        for g in range(e.shape[0]):
            size = abs(e[g])
            inside = size <= most
            vote = weight[g] if inside else weight[g] * most / size
            s = vote * e[g]
            c = vote if convex else (weight[g] if inside else 0.0)
            q = c if convex else c + s
            inverse = 1.0 / (x[g] + noise_floor)
            share = x[g] * inverse
            slope[i, g] = s * inverse
            of_offset[i, g] = c * inverse
            square[i, g] = q * inverse * inverse
            square_mean[i, g] = q * inverse * share
            s1 += s
            s2 += s * share
            c1 += c
            c2 += c * share
            q2 += q * share * share
        sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3], sums[i, 4] = s1, s2, c1, c2, q2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _put_together(  # noqa: PLR0917 - compiled code takes arrays
    products: NDArray[np.float64],
    crossed: NDArray[np.float64],
    constant: NDArray[np.float64],
    rna: NDArray[np.float64],
    pull: NDArray[np.float64],
    prior_strength: float,
    curvature: NDArray[np.float64],
) -> None:
    n_types = rna.shape[1]
    for i in range(rna.shape[0]):
        r, s, x, pair = rna[i], pull[i], crossed[i], 0
        for k in range(n_types):
            for j in range(k, n_types):
                part = r[k] * r[j] * (products[i, pair] - x[k] - x[j] + constant[i])
                part += r[k] * s[j] + r[j] * s[k] - prior_strength / n_types
                curvature[i, k, j] = curvature[i, j, k] = part
                pair += 1
            curvature[i, k, k] += prior_strength - s[k]
