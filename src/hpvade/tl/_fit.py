"""The generative path at prediction time: fractions whose mixture S·r fits a sample, the network as prior."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

MAD_TO_SD = 1.4826  # of a normal distribution
_SMALLEST_PRIOR = 1e-4  # fraction; the network never rules a type out entirely
_LOWEST_LOGIT = -14.0  # below the largest: a fraction of 1e-6
_LONGEST_STEP = 2.0  # in logits
_LARGEST_DAMPING = 1e7
_MAX_ITERATIONS = 100
_TOLERANCE = 1e-4  # largest step, in logits, at which a fit has converged; fractions are then good to 1e-5
_FIRST_TOLERANCE = 1e-3  # of the fit that only tells outliers
_MOST_PRODUCTS = 2**25  # numbers held of all pairs of columns of S, 256 MB
_SMALLEST_LIMIT = 1e-7  # of outliers, where a sample fits exactly


class _Iterate(NamedTuple):
    """One iterate."""

    objective: Tensor  # (n,)
    residual: Tensor  # e, (n, n_genes), log scale
    expected: Tensor  # S·r, (n, n_genes), CPM
    rna: Tensor  # r, (n, n_types)
    deviation: Tensor  # logits minus those of the prior, mean 0 over types, (n, n_types)


class FractionFit:
    """Fits the cell fractions of samples by their reconstruction S·r, starting from a prior answer.

    Minimises over p and an offset o, with r_k = p_k m_k / Σ_j p_j m_j and
    e_g = log(b_g + c) − log((S·r)_g + c) − o,

        Σ_g w_g ρ(e_g) + λ · Σ_k (d_k − mean(d))²,   d_k = log p_k − log p⁰_k.

    This is a negative log posterior: log-normal platform effects, a logistic-normal prior (Aitchison & Shen,
    1980) centred on the network's p⁰. With ρ(e) = e² the first sum is the bulk reconstruction loss that the
    network trains with, in a log space whose floor c fits bulk. A first fit does just that; the second takes
    Huber's ρ (1964), linear beyond ``outlier`` standard deviations of the first one's residuals (by their
    median), so that genes that a platform measures wrongly cannot decide between types that are alike. The
    offset takes up what scales all genes alike. Solved in the logits of p by damped Newton steps, and
    Gauss–Newton steps where the objective is not convex.

    A type may have several columns, one for each of its states; they then stand where types stand here, and
    λ holds for each.

    Parameters
    ----------
    signature_cpm
        Signature S over the measured genes, shape (n_genes, n_types), CPM, float64.
    rna_content
        m over the same genes, shape (n_types,).
    trust
        Weight w of each gene, shape (n_genes,); only ratios matter, it is scaled to mean 1.
    prior_strength
        λ.
    noise_floor
        c, CPM.
    outlier
        Where ρ becomes linear, in standard deviations; None keeps the first fit.

    Raises
    ------
    ValueError
        The signature holds a value that is not finite; every step would fail, and the prior come back.
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
        self.pairs = _pairs(signature_cpm)
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
        problem = _Problem(self, (cpm + self.noise_floor).log(), prior.clamp_min(_SMALLEST_PRIOR).log())
        unknowns = pad(problem.start, (0, 1))  # logits of p, then the offset
        unlimited = outlier_limit(cpm, None)
        if self.outlier is None:
            unknowns, _ = _minimise(problem, unknowns, limit=unlimited, tolerance=_TOLERANCE)
        else:
            unknowns, state = _minimise(problem, unknowns, limit=unlimited, tolerance=_FIRST_TOLERANCE)
            limit = outlier_limit(state.residual, self.outlier)
            unknowns, _ = _minimise(problem, unknowns, limit=limit, tolerance=_TOLERANCE)
        return unknowns[:, :-1].softmax(1)


class _Problem(NamedTuple):
    """A fit of n samples."""

    fit: FractionFit
    log_bulk: Tensor  # log(b + c), (n, n_genes)
    start: Tensor  # logits of the prior, (n, n_types)

    def of(self, samples: Tensor) -> _Problem:
        """Return the problem of some samples."""
        return self._replace(log_bulk=self.log_bulk[samples], start=self.start[samples])


def outlier_limit(residual: Tensor, outlier: float | None) -> Tensor:
    """Residual of each sample beyond which a gene is an outlier, shape (n_samples, 1).

    ``outlier`` standard deviations of its residuals, (n_samples, n_genes), by their median; None: infinite.
    """
    if outlier is None:
        return residual.new_full((len(residual), 1), torch.inf)
    return (outlier * MAD_TO_SD * residual.abs().median(1, keepdim=True).values).clamp_min(_SMALLEST_LIMIT)


def _minimise(
    problem: _Problem, unknowns: Tensor, *, limit: Tensor, tolerance: float
) -> tuple[Tensor, _Iterate]:
    """Minimise from a starting point, (n, n_types + 1), with ρ linear beyond ``limit``, (n, 1).

    Each sample stops by itself, so that its answer does not depend on its neighbours. The damping follows the
    ratio of achieved to predicted gain (Nielsen, 1999).
    """
    state = _evaluate(problem, unknowns, limit=limit)
    damping = unknowns.new_full((len(unknowns),), 1e-2)
    active = torch.arange(len(unknowns))
    for _ in range(_MAX_ITERATIONS):
        part, own_limit = problem.of(active), limit[active]
        now = _Iterate(*(tensor[active] for tensor in state))
        gradient, curvature = _expansion(part, now, limit=own_limit)
        step = _damped_step(gradient, curvature, damping=damping[active])
        trial = unknowns[active] + step
        logits = trial[:, :-1] - trial[:, :-1].amax(1, keepdim=True)
        trial = torch.cat([logits.clamp_min(_LOWEST_LOGIT), trial[:, -1:]], 1)
        tried = _evaluate(part, trial, limit=own_limit)
        predicted = (step * (2 * gradient - (curvature @ step[:, :, None])[:, :, 0])).sum(1)
        gain = (now.objective - tried.objective) / predicted.clamp_min(1e-300)
        better = tried.objective <= now.objective
        unknowns = unknowns.index_copy(0, active[better], trial[better])
        state = _Iterate(
            *(old.index_copy(0, active[better], new[better]) for old, new in zip(state, tried, strict=True))
        )
        eased = damping[active] * (1 - (2 * gain - 1) ** 3).clamp(1 / 3, 2)
        eased = torch.where(better, eased, damping[active] * 4).clamp(1e-7, _LARGEST_DAMPING)
        damping = damping.index_copy(0, active, eased)
        active = active[(step.abs().amax(1) >= tolerance) & (eased < _LARGEST_DAMPING)]
        if not len(active):
            break
    return unknowns, state


def _evaluate(problem: _Problem, unknowns: Tensor, *, limit: Tensor) -> _Iterate:
    logits, offset = unknowns[:, :-1], unknowns[:, -1:]
    rna = (logits + problem.fit.log_content).softmax(1)
    expected = rna @ problem.fit.signature_cpm.T
    residual = problem.log_bulk - (expected + problem.fit.noise_floor).log() - offset
    deviation = logits - problem.start
    deviation = deviation - deviation.mean(1, keepdim=True)
    within = residual.abs().clamp_max(limit)
    rho = within * (2 * residual.abs() - within)  # e² up to the limit; beyond it, linear
    objective = (problem.fit.weight * rho).sum(1) + problem.fit.prior_strength * deviation.square().sum(1)
    return _Iterate(objective, residual, expected, rna, deviation)


def _expansion(problem: _Problem, state: _Iterate, *, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Half the negative gradient, (n, n_types + 1), and a positive definite half of the Hessian.

    The slope of log((S·r)_g + c) in logit k is a_k = r_k (S_gk − (S·r)_g) / ((S·r)_g + c), and 1 in the
    offset; its second derivative is δ_kj a_k − r_k a_j − r_j a_k − a_k a_j. Where the Hessian is not positive
    definite, far from the minimum, second derivatives are left out (Gauss–Newton, with Huber's weights).
    """
    vote = problem.fit.weight * (limit / state.residual.abs()).clamp_max(1.0)  # with Huber's weight
    pull = vote * state.residual  # half the slope of ρ
    within = problem.fit.weight * (state.residual.abs() <= limit)  # half its curvature
    summed = _sum_of_slopes(problem, state, weight=pull)
    gradient = torch.cat([summed, pull.sum(1, keepdim=True)], 1)
    gradient = gradient - problem.fit.prior_strength * pad(state.deviation, (0, 1))

    bent = state.rna[:, :, None] * summed[:, None, :]
    curvature = _curvature(problem, state, of_logits=within + pull, of_offset=within)
    curvature[:, :-1, :-1] += bent + bent.mT - torch.diag_embed(summed)
    not_convex = torch.linalg.cholesky_ex(curvature + _ridge(curvature)).info > 0
    if bool(not_convex.any()):
        some = not_convex.nonzero()[:, 0]
        vote = vote[some]
        curvature[some] = _curvature(
            problem.of(some), _Iterate(*(t[some] for t in state)), of_logits=vote, of_offset=vote
        )
    return gradient, curvature


def _sum_of_slopes(problem: _Problem, state: _Iterate, *, weight: Tensor) -> Tensor:
    """Σ_g weight_g a_gk, (n, n_types)."""
    relative = weight / (state.expected + problem.fit.noise_floor)
    mean = (relative * state.expected).sum(1, keepdim=True)
    return state.rna * (relative @ problem.fit.signature_cpm - mean)


def _curvature(problem: _Problem, state: _Iterate, *, of_logits: Tensor, of_offset: Tensor) -> Tensor:
    """Σ_g weight_g a_gk a_gj with two weights, (n, n_genes), and the prior; (n, n_types + 1, n_types + 1).

    The product is multiplied out, so that no array of shape (n, n_types, n_genes) is made.
    """
    rna, mean = state.rna, state.expected
    square = of_logits / (mean + problem.fit.noise_floor).square()
    crossed = (square * mean) @ problem.fit.signature_cpm
    constant = (square * mean.square()).sum(1)
    products = _products(problem, square) - crossed[:, :, None] - crossed[:, None, :]
    products = products + constant[:, None, None]
    n_types = rna.shape[1]
    centring = torch.eye(n_types, dtype=rna.dtype) - 1 / n_types
    curvature = torch.empty((len(rna), n_types + 1, n_types + 1), dtype=rna.dtype)
    curvature[:, :-1, :-1] = (
        rna[:, :, None] * products * rna[:, None, :] + problem.fit.prior_strength * centring
    )
    of_both = _sum_of_slopes(problem, state, weight=of_offset)
    curvature[:, :-1, -1] = curvature[:, -1, :-1] = of_both
    curvature[:, -1, -1] = of_offset.sum(1)
    return curvature


def _pairs(signature_cpm: Tensor) -> Tensor | None:
    """S_gk S_gj of all k ≤ j, (n_genes, n_types · (n_types + 1) / 2), single precision; None: too many.

    They make all samples' curvatures one product of two matrices. Curvature only leads to the minimum; where
    that is, the gradient says, in double precision.
    """
    n_genes, n_types = signature_cpm.shape
    if n_genes * n_types * (n_types + 1) // 2 > _MOST_PRODUCTS:
        return None
    k, j = torch.triu_indices(n_types, n_types)
    return (signature_cpm[:, k] * signature_cpm[:, j]).float()


def _products(problem: _Problem, weight: Tensor) -> Tensor:
    """Σ_g weight_g S_gk S_gj for weights of shape (n, n_genes); shape (n, n_types, n_types)."""
    signature = problem.fit.signature_cpm
    if problem.fit.pairs is None:
        return (signature.T * weight[:, None, :]) @ signature
    n_types = signature.shape[1]
    k, j = torch.triu_indices(n_types, n_types)
    products = torch.empty((len(weight), n_types, n_types), dtype=weight.dtype)
    products[:, k, j] = products[:, j, k] = (weight.float() @ problem.fit.pairs).to(weight)
    return products


def _damped_step(gradient: Tensor, curvature: Tensor, *, damping: Tensor) -> Tensor:
    """Step of every sample, shape (n, n_types + 1)."""
    added = torch.diag_embed(damping[:, None] * curvature.diagonal(dim1=1, dim2=2))
    step: Tensor = torch.linalg.solve(curvature + added + _ridge(curvature), gradient)
    return step.clamp(-_LONGEST_STEP, _LONGEST_STEP)


def _ridge(curvature: Tensor) -> Tensor:
    """Trace of the identity: that adding one number to all logits changes nothing must not stop a step."""
    return 1e-6 * torch.eye(curvature.shape[1], dtype=curvature.dtype)
