"""The generative path at prediction time: fractions whose mixture S·r fits a sample, the network as prior."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from hpvade.deconvolve._fit_kernel import curvature_of, gene_weights, residuals

MAD_TO_SD = 1.4826  # of a normal distribution
_SMALLEST_PRIOR = 1e-4  # fraction; the network never rules a type out entirely
_LOWEST_LOGIT = -14.0  # below the largest: a fraction of 1e-6
_LONGEST_STEP = 2.0  # in logits
_LARGEST_DAMPING = 1e7
_RIDGE = 1e-6
_MAX_STEPS = 100
_FIRST_DAMPING = 1e-2
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

    def improved(self, tried: _Iterate, *, where: Tensor) -> _Iterate:
        """Take another iterate for some samples, a mask of shape (n,)."""
        if bool(where.all()):
            return tried
        pairs = zip(tried, self, strict=True)
        return _Iterate(*(torch.where(where.view(-1, *[1] * (new.ndim - 1)), new, old) for new, old in pairs))


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
            unknowns, residual = _minimise(problem, unknowns, limit=unlimited, tolerance=_FIRST_TOLERANCE)
            limit = outlier_limit(residual, self.outlier)
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
) -> tuple[Tensor, Tensor]:
    """Minimise from a starting point, (n, n_types + 1), with ρ linear beyond ``limit``, (n, 1).

    Each sample stops by itself, so that its answer does not depend on its neighbours. The damping follows the
    ratio of achieved to predicted gain (Nielsen, 1999).

    Returns
    -------
    The unknowns and the residuals, (n, n_genes), at the minimum.
    """
    found, residual = unknowns.clone(), torch.empty_like(problem.log_bulk)
    samples = torch.arange(len(unknowns))  # that are not there yet
    state = _evaluate(problem, unknowns, limit=limit)
    damping = torch.full_like(state.objective, _FIRST_DAMPING)
    for left in reversed(range(_MAX_STEPS)):
        step, predicted = _step(problem, state, limit=limit, damping=damping)
        trial = unknowns + step
        logits = trial[:, :-1] - trial[:, :-1].amax(1, keepdim=True)
        trial = torch.cat([logits.clamp_min(_LOWEST_LOGIT), trial[:, -1:]], 1)
        tried = _evaluate(problem, trial, limit=limit)
        gain = (state.objective - tried.objective) / predicted.clamp_min(1e-300)
        better = tried.objective <= state.objective
        unknowns, state = torch.where(better[:, None], trial, unknowns), state.improved(tried, where=better)
        eased = damping * (1 - (2 * gain - 1) ** 3).clamp(1 / 3, 2)
        damping = torch.where(better, eased, damping * 4).clamp(1e-7, _LARGEST_DAMPING)
        going = (step.abs().amax(1) >= tolerance) & (damping < _LARGEST_DAMPING) & (left > 0)
        if bool(going.all()):
            continue
        there = samples[~going]
        found[there], residual[there] = unknowns[~going], state.residual[~going]
        if not bool(going.any()):
            break
        problem, state = problem.of(going), _Iterate(*(tensor[going] for tensor in state))
        samples, unknowns, damping, limit = (t[going] for t in (samples, unknowns, damping, limit))
    return found, residual


def _evaluate(problem: _Problem, unknowns: Tensor, *, limit: Tensor) -> _Iterate:
    fit = problem.fit
    logits, offset = unknowns[:, :-1], unknowns[:, -1]
    rna = (logits + fit.log_content).softmax(1)
    expected = rna @ fit.signature_cpm.T
    residual = (expected + fit.noise_floor).log_()
    misfit = residuals(
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
    """Damped step of every sample, shape (n, n_types + 1), and the gain that it promises, (n,).

    Where the damped Hessian is not positive definite, far from the minimum, second derivatives are left out.
    """
    gradient, curvature = _expansion(problem, state, limit=limit)
    factor, info = torch.linalg.cholesky_ex(_damped(curvature, damping))
    for exact in (False, True):
        some = info.nonzero()[:, 0]
        if not len(some):
            break
        of_some = _Iterate(*(tensor[some] for tensor in state))
        _, curvature[some] = _expansion(
            problem.of(some), of_some, limit=limit[some], convex=True, exact=exact
        )
        factor[some], info[some] = torch.linalg.cholesky_ex(_damped(curvature[some], damping[some]))
    step = torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0].clamp(-_LONGEST_STEP, _LONGEST_STEP)
    return step, (step * (2 * gradient - (curvature @ step[:, :, None])[:, :, 0])).sum(1)


def _damped(curvature: Tensor, damping: Tensor) -> Tensor:
    """Raise the diagonal; a little everywhere: adding one number to all logits changes nothing."""
    damped = curvature.clone()
    diagonal = damped.diagonal(dim1=1, dim2=2)
    diagonal.mul_(1 + damping[:, None]).add_(_RIDGE)
    return damped


def _expansion(
    problem: _Problem, state: _Iterate, *, limit: Tensor, convex: bool = False, exact: bool = False
) -> tuple[Tensor, Tensor]:
    """Half the negative gradient, (n, n_types + 1), and half the Hessian, or a convex one in its place.

    The slope of log((S·r)_g + c) in logit k is a_k = r_k (S_gk − (S·r)_g) / ((S·r)_g + c), and 1 in the
    offset; its second derivative is δ_kj a_k − r_k a_j − r_j a_k − a_k a_j. The Hessian is worked out in
    single precision, or else ``exact``: it only leads to the minimum; where that is, the gradient says.
    """
    fit, rna = problem.fit, state.rna
    weights = gene_weights(
        state.residual.numpy(),
        state.expected.numpy(),
        weight=fit.weight.numpy(),
        limit=limit[:, 0].numpy(),
        noise_floor=fit.noise_floor,
        convex=convex,
    )
    of_slope, of_offset, square, square_mean, sums = map(torch.from_numpy, weights)
    pull = rna * (of_slope @ fit.signature_cpm - sums[:, 1:2])
    gradient = torch.cat([pull, sums[:, :1]], 1) - fit.prior_strength * pad(state.deviation, (0, 1))
    curvature = curvature_of(
        _products(fit, square, exact=exact).numpy(),
        crossed=(square_mean @ fit.signature_cpm).numpy(),
        constant=sums[:, 4].numpy(),
        rna=rna.numpy(),
        pull=(torch.zeros_like(pull) if convex else pull).numpy(),
        of_both=(rna * (of_offset @ fit.signature_cpm - sums[:, 3:4])).numpy(),
        of_offset=sums[:, 2].numpy(),
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


def _pairs(signature_cpm: Tensor) -> Tensor | None:
    """S_gk S_gj of all k ≤ j, (n_genes, n_pairs), single precision; None where they are too many.

    They make all samples' curvatures one product of two matrices.
    """
    n_genes, n_types = signature_cpm.shape
    k, j = torch.triu_indices(n_types, n_types)
    return None if n_genes * len(k) > _MOST_PRODUCTS else (signature_cpm[:, k] * signature_cpm[:, j]).float()
