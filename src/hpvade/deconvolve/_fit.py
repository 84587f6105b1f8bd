"""The fit at prediction time: fractions whose mixture S·r fits a sample, with the network as prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from hpvade.pp._spaces import floored_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAD_TO_SD = 1.4826  # of a normal distribution
_MIN_PRIOR = 1e-4  # fraction; the network never rules out a type entirely
_MIN_LOGIT = -14.0  # relative to the largest logit: a fraction of 1e-6
_MAX_STEP = 2.0  # in logits
_MAX_DAMPING = 1e7
_RIDGE = 1e-6
_MAX_STEPS = 100
_FIRST_DAMPING = 1e-2
_TOLERANCE = 1e-4  # largest step, in logits, of a fit that has converged; fractions are accurate to 1e-5
_FIRST_TOLERANCE = 1e-3  # of the first fit, which only finds outliers
_MAX_PRODUCTS = 2**25  # products of pairs of columns of S kept in memory, 128 MB
_MIN_LIMIT = 1e-7  # of outliers, for a sample that fits exactly
# The compiler may reorder sums, so that loops become vector instructions; infinity stays infinity.
FAST = {"contract", "reassoc", "nsz", "arcp"}


class _Iterate(NamedTuple):
    """State of the minimisation for n samples."""

    objective: Tensor  # (n,)
    residual: Tensor  # e, (n, n_genes), log scale
    expected: Tensor  # S·r, (n, n_genes), CPM
    rna: Tensor  # r, (n, n_types)
    deviation: Tensor  # logits minus those of the prior, mean 0 over types, (n, n_types)

    def updated(self, trial: _Iterate, *, where: Tensor) -> _Iterate:
        """Replace the samples of a mask, shape (n,), by those of another iterate."""
        if bool(where.all()):
            return trial
        pairs = zip(trial, self, strict=True)
        return _Iterate(*(torch.where(where.view(-1, *[1] * (new.ndim - 1)), new, old) for new, old in pairs))

    def select(self, samples: Tensor) -> _Iterate:
        """Restrict to some samples, a mask or positions."""
        return _Iterate(*(tensor[samples] for tensor in self))


class FractionFit:
    """Fits the cell fractions of samples by their reconstruction S·r, starting from a prior estimate.

    Minimises over p and an offset o, with r_k = p_k m_k / Σ_j p_j m_j and
    e_g = log(b_g + c) − log((S·r)_g + c) − o,

        Σ_g w_g ρ(e_g) + λ · Σ_k (d_k − mean(d))²,   d_k = log p_k − log p⁰_k.

    This is a negative log posterior: log-normal platform effects, a logistic-normal prior (Aitchison & Shen,
    1980) centred on the network's p⁰. With ρ(e) = e² the first sum is the bulk reconstruction loss of
    training, in a log space whose floor c suits bulk data. A first fit uses this ρ. The second uses Huber's ρ
    (1964), linear beyond ``outlier`` standard deviations of the first fit's residuals (estimated from their
    median), so that genes that a platform measures wrongly cannot decide between similar types. The offset
    absorbs a scale common to all genes. The minimum is found in the logits of p by damped Newton steps, or
    Gauss–Newton steps where the objective is not convex.

    A type may have several columns, one for each of its states. The states then take the place of types in
    the formula, and λ applies to each.

    Parameters
    ----------
    signature_cpm
        Signature S over the measured genes, shape (n_genes, n_types), CPM, float64.
    rna_content
        m over the same genes, shape (n_types,).
    trust
        Weight w of each gene, shape (n_genes,); only ratios matter: it is scaled to mean 1.
    prior_strength
        λ.
    noise_floor
        c, CPM.
    outlier
        Where ρ becomes linear, in standard deviations; None: only the first fit.

    Raises
    ------
    ValueError
        The signature has a value that is not finite; every step would fail and the prior would be returned.
    """

    def __init__(
        self,
        signature_cpm: Tensor,
        *,
        rna_content: Tensor,
        trust: Tensor,
        prior_strength: float,
        noise_floor: float,
        outlier: float | None,
    ) -> None:
        if not bool(torch.isfinite(signature_cpm).all()):
            msg = "The signature is not finite."
            raise ValueError(msg)
        self.signature_cpm = signature_cpm
        self.pairs = _column_products(signature_cpm)
        self.log_content = rna_content.log()
        self.weight = trust / trust.mean()
        self.prior_strength = prior_strength
        self.noise_floor = noise_floor
        self.outlier = outlier

    def __call__(self, cpm: Tensor, prior: Tensor) -> Tensor:
        """Fit samples.

        Parameters
        ----------
        cpm
            Bulk samples b over the same genes, shape (n_samples, n_genes), CPM, float64.
        prior
            Cell fractions p⁰, shape (n_samples, n_types), rows sum to 1.

        Returns
        -------
        Cell fractions p, shape (n_samples, n_types); rows sum to 1.
        """
        problem = _Problem(self, floored_log(cpm, self.noise_floor), prior.clamp_min(_MIN_PRIOR).log())
        unknowns = pad(problem.start, (0, 1))  # logits of p, then the offset
        unlimited = outlier_limit(cpm, None)
        if self.outlier is None:
            unknowns, _ = _minimise(problem, unknowns, limit=unlimited, tolerance=_TOLERANCE)
        else:
            unknowns, residual = _minimise(problem, unknowns, limit=unlimited, tolerance=_FIRST_TOLERANCE)
            limit = outlier_limit(residual, self.outlier)
            unknowns, _ = _minimise(problem, unknowns, limit=limit, tolerance=_TOLERANCE)
        return unknowns[:, :-1].softmax(1)


class _Problem(NamedTuple):
    """A fit of n samples."""

    fit: FractionFit
    log_bulk: Tensor  # log(b + c), (n, n_genes)
    start: Tensor  # logits of the prior, (n, n_types)

    def select(self, samples: Tensor) -> _Problem:
        """Restrict to some samples, a mask or positions."""
        return self._replace(log_bulk=self.log_bulk[samples], start=self.start[samples])


def outlier_limit(residual: Tensor, outlier: float | None) -> Tensor:
    """Absolute residual beyond which a gene is an outlier, for each sample, shape (n_samples, 1).

    It is ``outlier`` standard deviations of the sample's residuals, shape (n_samples, n_genes), estimated
    from their median; infinite for None.
    """
    if outlier is None:
        return residual.new_full((len(residual), 1), torch.inf)
    return (outlier * MAD_TO_SD * residual.abs().median(1, keepdim=True).values).clamp_min(_MIN_LIMIT)


def _minimise(
    problem: _Problem, unknowns: Tensor, *, limit: Tensor, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Minimise from a starting point, (n, n_types + 1), with ρ linear beyond ``limit``, (n, 1).

    Each sample stops separately, so that its result does not depend on the other samples. The damping follows
    the ratio of achieved to predicted gain (Nielsen, 1999).

    Returns
    -------
    The unknowns and the residuals, (n, n_genes), at the minimum.
    """
    found, residual = unknowns.clone(), torch.empty_like(problem.log_bulk)
    samples = torch.arange(len(unknowns))  # that have not converged
    state = _evaluate(problem, unknowns, limit=limit)
    damping = torch.full_like(state.objective, _FIRST_DAMPING)
    for steps_left in reversed(range(_MAX_STEPS)):
        step, predicted = _step(problem, state, limit=limit, damping=damping)
        trial = unknowns + step
        logits = trial[:, :-1] - trial[:, :-1].amax(1, keepdim=True)
        trial = torch.cat([logits.clamp_min(_MIN_LOGIT), trial[:, -1:]], 1)
        trial_state = _evaluate(problem, trial, limit=limit)
        gain = (state.objective - trial_state.objective) / predicted.clamp_min(1e-300)
        better = trial_state.objective <= state.objective
        unknowns, state = (
            torch.where(better[:, None], trial, unknowns),
            state.updated(trial_state, where=better),
        )
        reduced = damping * (1 - (2 * gain - 1) ** 3).clamp(1 / 3, 2)
        damping = torch.where(better, reduced, damping * 4).clamp(1e-7, _MAX_DAMPING)
        active = (step.abs().amax(1) >= tolerance) & (damping < _MAX_DAMPING) & (steps_left > 0)
        if bool(active.all()):
            continue
        converged = samples[~active]
        found[converged], residual[converged] = unknowns[~active], state.residual[~active]
        if not bool(active.any()):
            break
        problem, state = problem.select(active), state.select(active)
        samples, unknowns, damping, limit = (t[active] for t in (samples, unknowns, damping, limit))
    return found, residual


def _evaluate(problem: _Problem, unknowns: Tensor, *, limit: Tensor) -> _Iterate:
    fit = problem.fit
    logits, offset = unknowns[:, :-1], unknowns[:, -1]
    rna = (logits + fit.log_content).softmax(1)
    expected = rna @ fit.signature_cpm.T
    residual = (expected + fit.noise_floor).log_()  # floored_log in place: the inner loop of every fit
    misfit = _misfit(
        problem.log_bulk.numpy(),
        residual.numpy(),
        offset=offset.numpy(),
        weight=fit.weight.numpy(),
        limit=limit[:, 0].numpy(),
    )
    deviation = logits - problem.start
    deviation = deviation - deviation.mean(1, keepdim=True)
    objective = torch.from_numpy(misfit) + fit.prior_strength * deviation.square().sum(1)
    return _Iterate(objective, residual, expected, rna, deviation)


def _step(problem: _Problem, state: _Iterate, *, limit: Tensor, damping: Tensor) -> tuple[Tensor, Tensor]:
    """Damped step of every sample, shape (n, n_types + 1), and its predicted gain, (n,).

    Where the damped Hessian is not positive definite, far from the minimum, second derivatives are left out.
    """
    gradient, curvature = _expansion(problem, state, limit=limit)
    factor, info = torch.linalg.cholesky_ex(_damped(curvature, damping))
    for exact in (False, True):
        failed = info.nonzero()[:, 0]
        if not len(failed):
            break
        _, curvature[failed] = _expansion(
            problem.select(failed), state.select(failed), limit=limit[failed], convex=True, exact=exact
        )
        factor[failed], info[failed] = torch.linalg.cholesky_ex(_damped(curvature[failed], damping[failed]))
    step = torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0].clamp(-_MAX_STEP, _MAX_STEP)
    return step, (step * (2 * gradient - (curvature @ step[:, :, None])[:, :, 0])).sum(1)


def _damped(curvature: Tensor, damping: Tensor) -> Tensor:
    """Raise the diagonal, by a little everywhere: the objective is constant along a shift of all logits."""
    damped = curvature.clone()
    diagonal = damped.diagonal(dim1=1, dim2=2)
    diagonal.mul_(1 + damping[:, None]).add_(_RIDGE)
    return damped


def _expansion(
    problem: _Problem, state: _Iterate, *, limit: Tensor, convex: bool = False, exact: bool = False
) -> tuple[Tensor, Tensor]:
    """Half the negative gradient, (n, n_types + 1), and half the Hessian, or a convex one in its place.

    The slope of log((S·r)_g + c) in logit k is a_k = r_k (S_gk − (S·r)_g) / ((S·r)_g + c), and 1 in the
    offset; its second derivative is δ_kj a_k − r_k a_j − r_j a_k − a_k a_j. The Hessian is computed in
    single precision unless ``exact``: it only guides the steps, whereas the gradient defines the minimum.
    """
    fit, rna = problem.fit, state.rna
    weights = _derivative_weights(
        state.residual.numpy(),
        state.expected.numpy(),
        weight=fit.weight.numpy(),
        limit=limit[:, 0].numpy(),
        noise_floor=fit.noise_floor,
        convex=convex,
    )
    slope, offset, square, square_mean, sums = map(torch.from_numpy, weights)
    pull = rna * (slope @ fit.signature_cpm - sums[:, 1:2])
    gradient = torch.cat([pull, sums[:, :1]], 1) - fit.prior_strength * pad(state.deviation, (0, 1))
    curvature = _assemble_hessian(
        _products(fit, square, exact=exact).numpy(),
        crossed=(square_mean @ fit.signature_cpm).numpy(),
        constant=sums[:, 4].numpy(),
        rna=rna.numpy(),
        pull=(torch.zeros_like(pull) if convex else pull).numpy(),
        logits_by_offset=(rna * (offset @ fit.signature_cpm - sums[:, 3:4])).numpy(),
        offset_by_offset=sums[:, 2].numpy(),
        prior_strength=fit.prior_strength,
    )
    return gradient, torch.from_numpy(curvature)


def _products(fit: FractionFit, weight: Tensor, *, exact: bool) -> Tensor:
    """Σ_g weight_g S_gk S_gj of all k ≤ j, for weights of shape (n, n_genes); shape (n, n_pairs), float64."""
    if fit.pairs is not None and not exact:
        return (weight @ fit.pairs).double()
    signature = fit.signature_cpm
    k, j = torch.triu_indices(signature.shape[1], signature.shape[1])
    return ((signature.T * weight.to(signature)[:, None, :]) @ signature)[:, k, j].contiguous()


def _column_products(signature_cpm: Tensor) -> Tensor | None:
    """S_gk S_gj of all k ≤ j, (n_genes, n_pairs), single precision; None if they take too much memory.

    With them, the curvatures of all samples are one product of two matrices.
    """
    n_genes, n_types = signature_cpm.shape
    k, j = torch.triu_indices(n_types, n_types)
    return None if n_genes * len(k) > _MAX_PRODUCTS else (signature_cpm[:, k] * signature_cpm[:, j]).float()


class _DerivativeWeights(NamedTuple):
    """Weight of each gene in the derivatives of the objective, and sums over the genes.

    s is half the slope of w ρ(e) and c half its curvature; x is the expected expression, f the noise floor.
    """

    slope: NDArray[np.float64]  # s / (x + f), (n, n_genes)
    offset: NDArray[np.float64]  # c / (x + f), (n, n_genes)
    square: NDArray[np.float32]  # (c + s) / (x + f)², (n, n_genes)
    square_mean: NDArray[np.float64]  # (c + s) x / (x + f)², (n, n_genes)
    sums: NDArray[np.float64]  # of s, s x / (x + f), c, c x / (x + f), (c + s) x² / (x + f)²; (n, 5)


def _misfit(
    log_bulk: NDArray[np.float64],
    log_expected: NDArray[np.float64],
    *,
    offset: NDArray[np.float64],
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Overwrite ``log_expected`` by the residuals e = log b − log x − o; return Σ_g w_g ρ(e_g), shape (n,).

    ρ(e) is e², and linear beyond ``limit``, shape (n,). The first two arrays have shape (n, n_genes).
    """
    objective = np.empty(len(log_bulk))
    _fill_residuals(log_bulk, log_expected, offset, weight, limit, objective)
    return objective


def _derivative_weights(
    residual: NDArray[np.float64],
    expected: NDArray[np.float64],
    *,
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
    noise_floor: float,
    convex: bool,
) -> _DerivativeWeights:
    """Weight the genes for a Newton step.

    ``convex`` leaves out second derivatives of the residuals and uses Huber's weights as the curvature of ρ
    (Gauss–Newton): c is then w min(1, limit / |e|), and c takes the place of c + s.
    """
    slope, offset, square, square_mean = (
        np.empty_like(expected, dtype=dtype) for dtype in (float, float, np.float32, float)
    )
    weights = _DerivativeWeights(slope, offset, square, square_mean, np.empty((len(expected), 5)))
    _fill_weights(residual, expected, weight, limit, noise_floor, convex, *weights)
    return weights


def _assemble_hessian(
    products: NDArray[np.float64],
    *,
    crossed: NDArray[np.float64],
    constant: NDArray[np.float64],
    rna: NDArray[np.float64],
    pull: NDArray[np.float64],
    logits_by_offset: NDArray[np.float64],
    offset_by_offset: NDArray[np.float64],
    prior_strength: float,
) -> NDArray[np.float64]:
    """Assemble half the Hessian, shape (n, n_types + 1, n_types + 1); the offset comes last.

    The entry of the logits k and j is r_k r_j (P_kj − X_k − X_j + q) + r_k s_j + r_j s_k − δ_kj s_k, plus
    that of the prior.

    Parameters
    ----------
    products
        P_kj of all k ≤ j, shape (n, n_pairs).
    crossed, constant
        X, shape (n, n_types), and q, shape (n,).
    rna, pull
        r and s, shape (n, n_types).
    logits_by_offset, offset_by_offset
        Entries of the offset, shape (n, n_types) and (n,).
    prior_strength
        λ.
    """
    n, n_types = rna.shape
    curvature = np.empty((n, n_types + 1, n_types + 1))
    _fill_hessian(products, crossed, constant, rna, pull, prior_strength, curvature)
    curvature[:, :-1, -1] = curvature[:, -1, :-1] = logits_by_offset
    curvature[:, -1, -1] = offset_by_offset
    return curvature


@numba.njit(fastmath=FAST, cache=True, nogil=True, error_model="numpy")
def _fill_residuals(  # noqa: PLR0917 - compiled code takes plain arrays
    log_bulk: NDArray[np.float64],
    log_expected: NDArray[np.float64],
    offset: NDArray[np.float64],
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
    objective: NDArray[np.float64],
) -> None:
    for i in range(log_bulk.shape[0]):
        b, e, o, bound, total = log_bulk[i], log_expected[i], offset[i], limit[i], 0.0
        for g in range(b.shape[0]):
            residual = b[g] - e[g] - o
            e[g] = residual
            size = abs(residual)
            within = size if size < bound else bound
            total += weight[g] * within * (2 * size - within)
        objective[i] = total


@numba.njit(fastmath=FAST, cache=True, nogil=True, error_model="numpy")
def _fill_weights(  # noqa: PLR0913, PLR0917 - compiled code takes plain arrays
    residual: NDArray[np.float64],
    expected: NDArray[np.float64],
    weight: NDArray[np.float64],
    limit: NDArray[np.float64],
    noise_floor: float,
    convex: bool,  # noqa: FBT001
    slope: NDArray[np.float64],
    offset: NDArray[np.float64],
    square: NDArray[np.float32],
    square_mean: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    for i in range(residual.shape[0]):
        e, x, bound = residual[i], expected[i], limit[i]
        s1 = s2 = c1 = c2 = q2 = 0.0
        for g in range(e.shape[0]):
            size = abs(e[g])
            inside = size <= bound
            effective = weight[g] if inside else weight[g] * bound / size
            s = effective * e[g]
            c = effective if convex else (weight[g] if inside else 0.0)
            q = c if convex else c + s
            inverse = 1.0 / (x[g] + noise_floor)
            share = x[g] * inverse
            slope[i, g] = s * inverse
            offset[i, g] = c * inverse
            square[i, g] = q * inverse * inverse
            square_mean[i, g] = q * inverse * share
            s1 += s
            s2 += s * share
            c1 += c
            c2 += c * share
            q2 += q * share * share
        sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3], sums[i, 4] = s1, s2, c1, c2, q2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill_hessian(  # noqa: PLR0917 - compiled code takes plain arrays
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
