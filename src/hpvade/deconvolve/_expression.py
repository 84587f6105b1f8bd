"""What each cell type expresses in each sample: a bulk sample parted among its types, gene by gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import logsumexp

from hpvade.pp import counts_to_cpm, rna_fractions
from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ALL_ALIKE = -1  # varies in no one type
_FLOOR = 10.0  # CPM below which deviations are noise
_EXPRESSED = 30.0  # CPM
_NOISE = np.geomspace(0.05, 0.8, 5)  # relative, of the whole sample
_CHANGE = np.array([0.5, 1.5, 4.0])  # relative, of one type
_LEVELS = np.array([0.15, 0.3, 0.5])  # quantiles over samples
_DEGREES = 4.0  # of freedom of Student's t
_NEIGHBOURS = 30
_LEAST_CORRELATION = 0.4
_LEAST_OWN, _MOST_OWN = 0.01, 20.0  # times what is expected of the type
_LEAST_OTHER = 0.05
_FEWEST_SAMPLES = 6  # of which it can be told where a gene varies
_MOST_SAMPLES = 500  # that are looked at for it
_BLOCK = 1_000  # genes at a time


class Parts(NamedTuple):
    """Bulk samples parted among cell types.

    Attributes
    ----------
    contribution
        What each type contributes to each sample, in the unit of the samples, shape (n_samples, n_types,
        n_genes); the sum over types is the sample.
    varies_in
        Type in which each gene varies between the samples, or `ALL_ALIKE`; shape (n_genes,).
    information
        How much of a type's expression in a sample was learned from it, 0 to 1, shape (n_samples, n_types):
        the share that lies in genes that vary in the type, each weighted by the type's share of the gene.
    """

    contribution: NDArray[np.float32]
    varies_in: NDArray[np.int64]
    information: NDArray[np.float64]


def split_by_cell_type(
    linear: NDArray[np.float64], *, fractions: NDArray[np.float64], counts: NDArray[np.float64]
) -> Parts:
    """Part each sample among its cell types.

    What the signature lets expect of the types fixes the shares in which they express a gene. Where samples
    deviate from it, the table tells in which type the gene varies, see `where_genes_vary`: that type takes
    the deviation, the others keep what is expected of them. A gene that varies in all types alike, and every
    gene where there are fewer than six samples, is parted in the expected shares.

    Parameters
    ----------
    linear
        Samples, shape (n_samples, n_genes), linear.
    fractions
        Cell fractions, shape (n_samples, n_types), rows sum to 1.
    counts
        Mean counts of one cell of each type, shape (n_genes, n_types).
    """
    expected = _Expected(linear, fractions, counts)
    varies_in, level = where_genes_vary(expected)
    unit = expected.unit(varies_in)
    contribution = np.empty((len(linear), fractions.shape[1], linear.shape[1]), dtype=np.float32)
    learned = np.zeros(fractions.shape)
    for genes in expected.blocks():
        share = expected.share(genes)
        block = share * linear[:, None, genes]
        for k in np.unique(varies_in[genes]):
            if k != ALL_ALIKE:
                own = varies_in[genes] == k
                fitted = share[:, :, own] * (level[genes] * expected.total[:, genes] * unit)[:, None, own]
                of_samples = linear[:, genes][:, own]
                block[:, :, own] = _give_deviation(k, of_samples, fitted)
                taken = block[:, k, own]
                learned[:, k] += (
                    taken * np.divide(taken, of_samples, where=of_samples > 0, out=taken * 0)
                ).sum(1)
        contribution[:, :, genes] = block
    whole = contribution.sum(2, dtype=np.float64)
    information = np.divide(learned, whole, where=whole > 0, out=np.zeros_like(whole))
    return Parts(contribution, varies_in, information)


class _Expected:
    """Samples, and what the types are expected to express in them, made by blocks of genes to save memory.

    Attributes
    ----------
    total
        Sum over types, CPM, shape (n_samples, n_genes).
    ratio
        Samples relative to it, at one scale for all samples, shape (n_samples, n_genes).
    """

    def __init__(
        self, linear: NDArray[np.float64], fractions: NDArray[np.float64], counts: NDArray[np.float64]
    ) -> None:
        self.fractions, self.counts = fractions, counts
        self.rna = rna_fractions(fractions, counts.sum(0))
        self.total = counts_to_cpm(fractions @ counts.T)
        self.observed = counts_to_cpm(linear)
        self.per_cpm = linear.sum(1, keepdims=True) / CPM_TOTAL
        size = self._size(np.ones(linear.shape[1], dtype=bool))
        self.ratio = (self.observed / size + _FLOOR) / (self.total + _FLOOR)

    def _size(self, steady: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Scale of each sample by the median of steady genes, shape (n_samples, 1).

        What some genes have in excess takes from the CPM of all others.
        """
        relative = (self.observed[:, steady] + _FLOOR) / (self.total[:, steady] + _FLOOR)
        relative /= np.median(relative, axis=0)
        pairs = zip(relative, self.total[:, steady] > _EXPRESSED, strict=True)
        return np.array([[np.median(row[seen]) if seen.any() else 1.0] for row, seen in pairs])

    def unit(self, varies_in: NDArray[np.int64]) -> NDArray[np.float64]:
        """Value of each CPM that is expected, in a sample's unit, by genes that vary in no one type."""
        steady = varies_in == ALL_ALIKE
        return self.per_cpm * self._size(steady if steady.any() else ~steady)

    def blocks(self) -> Iterator[slice]:
        """Yield blocks of genes."""
        for start in range(0, self.total.shape[1], _BLOCK):
            yield slice(start, start + _BLOCK)

    def share(self, genes: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """Share of each type, (n_samples, n_types, n_genes); its RNA fraction where none expresses a gene."""
        parts = self.fractions[:, :, None] * self.counts[genes].T
        total = parts.sum(1, keepdims=True)
        return np.where(total > 0, parts / np.where(total > 0, total, 1), self.rna[:, :, None])


def where_genes_vary(expected: _Expected) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Tell in which type each gene varies, from how its deviations follow the share of a type.

    The deviation of a sample from a gene's level in the table, relative to it, is φ-wide noise if the gene
    varies in all types alike, and as wide as φ and τ · share together if it varies in one (Student's t; no
    type can fall below 0). φ, τ and the level are those that fit best, with a penalty on τ (BIC). Genes that
    go together vary in the same type: the evidence of each is that of its 30 nearest neighbours by
    correlation, itself among them. How often genes vary in which type is learned from all (empirical Bayes).
    Of genes below 10 CPM nothing is told.

    Returns
    -------
    The type of each gene, or `ALL_ALIKE`, shape (n_genes,); and its level, relative to what is expected.
    """
    n, n_genes = expected.ratio.shape
    varies_in, level = np.full(n_genes, ALL_ALIKE), np.ones(n_genes)
    telling = np.flatnonzero(np.maximum(expected.total, expected.observed).mean(0) > _FLOOR)
    if n < _FEWEST_SAMPLES or len(telling) <= _NEIGHBOURS:
        return varies_in, level
    samples = np.unique(np.linspace(0, n - 1, min(n, _MOST_SAMPLES)).astype(int))
    evidence, levels = [], []
    for start in range(0, len(telling), _BLOCK):
        genes = telling[start : start + _BLOCK]
        ratio, total = expected.ratio[np.ix_(samples, genes)], expected.total[np.ix_(samples, genes)]
        share = expected.share(genes)[samples] * (total / (total + _FLOOR))[:, None]
        fits = [_best_fit(ratio, None), *(_best_fit(ratio, share[:, k]) for k in range(share.shape[1]))]
        evidence.append(np.stack([fit[0] for fit in fits]))
        levels.append(np.stack([fit[1] for fit in fits]))
    log_likelihood = np.concatenate(evidence, axis=1)
    log_likelihood[1:] -= np.log(len(samples)) / 2
    log_likelihood = _shared_evidence(log_likelihood, np.log(expected.ratio[np.ix_(samples, telling)]))
    prior = np.full((len(log_likelihood), 1), 1 / len(log_likelihood))
    for _ in range(30):
        posterior = log_likelihood + np.log(prior)
        posterior = np.exp(posterior - logsumexp(posterior, axis=0))
        prior = np.maximum(posterior.mean(1, keepdims=True), 1e-6)
    best = posterior.argmax(0)
    varies_in[telling] = best - 1
    level[telling] = np.concatenate(levels, axis=1)[best, np.arange(len(telling))]
    return varies_in, level


def _best_fit(
    ratio: NDArray[np.float64], share: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest log likelihood of each gene, constants left out, and its level; share None: in all alike."""
    best = np.full(ratio.shape[1], -np.inf)
    best_level = np.ones(ratio.shape[1])
    for level in np.quantile(ratio, _LEVELS, axis=0):
        deviation = ratio / level - 1
        for noise in _NOISE:
            for change in _CHANGE if share is not None else [0.0]:
                of_type = 0.0 if share is None else share
                up = np.sqrt(noise**2 + (change * of_type) ** 2)
                down = np.sqrt(noise**2 + (min(change, 1.0) * of_type) ** 2)
                width = np.where(deviation > 0, up, down)
                tail = (_DEGREES + 1) / 2 * np.log1p((deviation / width) ** 2 / _DEGREES)
                found = -(tail + np.log((up + down) / 2 * level)).sum(0)
                better = found > best
                best, best_level = np.where(better, found, best), np.where(better, level, best_level)
    return best, best_level


def _shared_evidence(
    log_likelihood: NDArray[np.float64], log_ratio: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the log likelihoods, (n_hypotheses, n_genes), of each gene's neighbours, weighted by r²."""
    centred = log_ratio - log_ratio.mean(0)
    unit = centred / (np.linalg.norm(centred, axis=0) + 1e-9)
    relative = log_likelihood - log_likelihood.max(0)
    shared = np.empty_like(relative)
    for start in range(0, unit.shape[1], _BLOCK):
        genes = slice(start, start + _BLOCK)
        r = unit[:, genes].T @ unit
        least = np.partition(r, -_NEIGHBOURS, axis=1)[:, [-_NEIGHBOURS]]
        weight = np.where((r >= least) & (r > _LEAST_CORRELATION), r, 0) ** 2
        shared[:, genes] = relative @ weight.T
    return shared


def _give_deviation(
    k: np.int64, linear: NDArray[np.float64], fitted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Part samples, (n_samples, n_genes), so that type k takes what the fitted types do not explain.

    As far as it can: it stays positive. What is left then goes to the other types, the largest first: were it
    shared among all, each of them would seem to vary with type k.
    """
    others = fitted.copy()
    others[:, k] = 0
    own = np.clip(linear - others.sum(1), _LEAST_OWN * fitted[:, k], _MOST_OWN * fitted[:, k])
    left = linear - own - others.sum(1)
    parts = others
    for rank in np.argsort(-others, axis=1).transpose(1, 0, 2)[: others.shape[1] - 1, :, None]:
        now = np.take_along_axis(parts, rank, 1)
        after = np.maximum(now + left[:, None], _LEAST_OTHER * now)
        left = left - (after - now)[:, 0]
        np.put_along_axis(parts, rank, after, 1)
    parts[:, k] += own + left
    # Where the sample has less than all lower limits together, all types share it.
    total = fitted.sum(1, keepdims=True)
    shared = fitted / np.where(total > 0, total, 1) * linear[:, None]
    return np.where((parts < 0).any(1, keepdims=True), shared, parts)
