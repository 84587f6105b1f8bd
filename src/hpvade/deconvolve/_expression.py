"""Expression of each cell type in each sample: bulk samples split by cell type, gene by gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.special import logsumexp

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.pp import counts_to_cpm, rna_fractions
from hpvade.pp._spaces import CPM_TOTAL, EXPRESSION_FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hpvade.pp import ReferenceSignature

NO_SINGLE_TYPE = -1  # of a gene that does not vary in one type in particular
_EXPRESSED = 30.0  # CPM
_NOISE = np.geomspace(0.05, 0.8, 5)  # relative, of the whole sample
_CHANGE = np.array([0.5, 1.5, 4.0])  # relative, of one type
_LEVELS = np.array([0.15, 0.3, 0.5])  # quantiles over samples
_DEGREES = 4.0  # of freedom of Student's t
_NEIGHBOURS = 30
_MIN_CORRELATION = 0.4
_MIN_OWN, _MAX_OWN = 0.01, 20.0  # times the expected expression of the type
_MIN_SAMPLES = 6  # to infer in which type a gene varies
_MAX_SAMPLES = 500  # that are used for it
_BLOCK = 1_000  # genes at a time


class TypeExpression(NamedTuple):
    """Bulk samples split by cell type.

    Attributes
    ----------
    contribution
        Contribution of each type to each sample, in the unit of the samples, shape (n_samples, n_types,
        n_genes); the sum over types is the sample.
    varies_in
        Type in which each gene varies between the samples, or `NO_SINGLE_TYPE`; shape (n_genes,).
    information
        How much of a type's expression was inferred from the sample, 0 to 1, shape (n_samples, n_types): the
        share of genes that vary in the type, each weighted by the type's share of the gene.
    """

    contribution: NDArray[np.float32]
    varies_in: NDArray[np.int64]
    information: NDArray[np.float64]


def split_by_cell_type(
    linear: NDArray[np.float64], *, fractions: NDArray[np.float64], counts: NDArray[np.float64]
) -> TypeExpression:
    """Split each sample by cell type.

    The signature predicts the share of each type in the expression of a gene. If samples deviate from the
    signature, the type in which the gene varies is inferred from the table, see `where_genes_vary`: this type
    takes the part of the deviation that genes of similar deviations share; the rest is noise, a factor of all
    types alike. A gene that does not vary in one type in particular is split in the predicted shares, as are
    all genes if there are fewer than six samples.

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
    predicted = expected.total * level * expected.unit(varies_in)
    change = np.divide(linear, predicted, where=predicted > 0, out=np.ones_like(predicted)) - 1
    contribution = np.empty((len(linear), fractions.shape[1], linear.shape[1]), dtype=np.float32)
    for genes in expected.blocks():
        contribution[:, :, genes] = expected.share(genes) * linear[:, None, genes]
    learned = np.zeros(fractions.shape)
    for k in range(fractions.shape[1]):
        of_type = np.flatnonzero(varies_in == k)
        change[:, of_type] = _change(change[:, of_type])
        for start in range(0, len(of_type), _BLOCK):
            some = of_type[start : start + _BLOCK]
            parts = _split_change(
                k, linear[:, some], predicted[:, some], expected.share(some), change[:, some]
            )
            contribution[:, :, some] = parts
            own, observed = parts[:, k], linear[:, some]
            learned[:, k] += (own * np.divide(own, observed, where=observed > 0, out=own * 0)).sum(1)
    whole = contribution.sum(2, dtype=np.float64)
    information = np.divide(learned, whole, where=whole > 0, out=np.zeros_like(whole))
    return TypeExpression(contribution, varies_in, information)


class _Expected:
    """Samples, and the expression that the signature predicts for them, by blocks of genes to save memory.

    Attributes
    ----------
    total
        Predicted expression, the sum over types, CPM, shape (n_samples, n_genes).
    ratio
        Samples relative to ``total``, all samples at one scale, shape (n_samples, n_genes).
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
        self.ratio = (self.observed / size + EXPRESSION_FLOOR) / (self.total + EXPRESSION_FLOOR)

    def _size(self, steady: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Scale of each sample, from the median of steady genes, shape (n_samples, 1).

        It corrects for genes in excess, which lower the CPM of all others.
        """
        relative = (self.observed[:, steady] + EXPRESSION_FLOOR) / (self.total[:, steady] + EXPRESSION_FLOOR)
        relative /= np.median(relative, axis=0)
        pairs = zip(relative, self.total[:, steady] > _EXPRESSED, strict=True)
        return np.array([[np.median(row[seen]) if seen.any() else 1.0] for row, seen in pairs])

    def unit(self, varies_in: NDArray[np.int64]) -> NDArray[np.float64]:
        """Value of one predicted CPM in the unit of each sample, from genes that vary in no single type."""
        steady = varies_in == NO_SINGLE_TYPE
        return self.per_cpm * self._size(steady if steady.any() else ~steady)

    def blocks(self) -> Iterator[slice]:
        """Yield blocks of genes."""
        for start in range(0, self.total.shape[1], _BLOCK):
            yield slice(start, start + _BLOCK)

    def share(self, genes: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """Share of each type, (n_samples, n_types, n_genes); its RNA fraction if no type expresses a gene."""
        parts = self.fractions[:, :, None] * self.counts[genes].T
        total = parts.sum(1, keepdims=True)
        return np.where(total > 0, parts / np.where(total > 0, total, 1), self.rna[:, :, None])


def where_genes_vary(expected: _Expected) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Infer in which type each gene varies, from how its deviations depend on the share of a type.

    The relative deviation of a sample from a gene's level in the table is noise of width φ if the gene varies
    in no single type. If it varies in one type, the width combines φ and τ · share (Student's t; no type can
    fall below 0). φ, τ and the level are those that fit best, with a penalty on τ (BIC). Correlated genes
    vary in the same type: the evidence for each gene is pooled over its 30 nearest neighbours by correlation,
    itself included. The frequency of each type is learned from all genes (empirical Bayes). Genes below 10
    CPM are not examined.

    Returns
    -------
    The type of each gene, or `NO_SINGLE_TYPE`, shape (n_genes,); and its level relative to the prediction.
    """
    n, n_genes = expected.ratio.shape
    varies_in, level = np.full(n_genes, NO_SINGLE_TYPE), np.ones(n_genes)
    examined = np.flatnonzero(np.maximum(expected.total, expected.observed).mean(0) > EXPRESSION_FLOOR)
    if n < _MIN_SAMPLES or len(examined) <= _NEIGHBOURS:
        return varies_in, level
    samples = np.unique(np.linspace(0, n - 1, min(n, _MAX_SAMPLES)).astype(int))
    evidence, levels = [], []
    for start in range(0, len(examined), _BLOCK):
        genes = examined[start : start + _BLOCK]
        ratio, total = expected.ratio[np.ix_(samples, genes)], expected.total[np.ix_(samples, genes)]
        share = expected.share(genes)[samples] * (total / (total + EXPRESSION_FLOOR))[:, None]
        fits = [_best_fit(ratio, None), *(_best_fit(ratio, share[:, k]) for k in range(share.shape[1]))]
        evidence.append(np.stack([fit[0] for fit in fits]))
        levels.append(np.stack([fit[1] for fit in fits]))
    log_likelihood = np.concatenate(evidence, axis=1)
    log_likelihood[1:] -= np.log(len(samples)) / 2
    log_likelihood = _sum_of_neighbours(
        log_likelihood - log_likelihood.max(0), np.log(expected.ratio[np.ix_(samples, examined)])
    )
    prior = np.full((len(log_likelihood), 1), 1 / len(log_likelihood))
    for _ in range(30):
        posterior = log_likelihood + np.log(prior)
        posterior = np.exp(posterior - logsumexp(posterior, axis=0))
        prior = np.maximum(posterior.mean(1, keepdims=True), 1e-6)
    best = posterior.argmax(0)
    varies_in[examined] = best - 1
    level[examined] = np.concatenate(levels, axis=1)[best, np.arange(len(examined))]
    return varies_in, level


def _best_fit(
    ratio: NDArray[np.float64], share: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest log likelihood of each gene, without constants, and its level; share None: no single type."""
    best = np.full(ratio.shape[1], -np.inf)
    best_level = np.ones(ratio.shape[1])
    for level in np.quantile(ratio, _LEVELS, axis=0):
        deviation = ratio / level - 1
        for noise in _NOISE:
            for change in _CHANGE if share is not None else [0.0]:
                type_share = 0.0 if share is None else share
                up = np.sqrt(noise**2 + (change * type_share) ** 2)
                down = np.sqrt(noise**2 + (min(change, 1.0) * type_share) ** 2)
                width = np.where(deviation > 0, up, down)
                tail = (_DEGREES + 1) / 2 * np.log1p((deviation / width) ** 2 / _DEGREES)
                found = -(tail + np.log((up + down) / 2 * level)).sum(0)
                better = found > best
                best, best_level = np.where(better, found, best), np.where(better, level, best_level)
    return best, best_level


def _sum_of_neighbours(values: NDArray[np.float64], log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the values, (n, n_genes), of each gene's neighbours by correlation, itself included, by r²."""
    centred = log_ratio - log_ratio.mean(0)
    unit = centred / (np.linalg.norm(centred, axis=0) + 1e-9)
    neighbours = min(_NEIGHBOURS, unit.shape[1])
    summed = np.empty_like(values)
    for start in range(0, unit.shape[1], _BLOCK):
        genes = slice(start, start + _BLOCK)
        r = unit[:, genes].T @ unit
        threshold = np.partition(r, -neighbours, axis=1)[:, [-neighbours]]
        weight = np.where((r >= threshold) & (r > _MIN_CORRELATION), r, 0) ** 2
        summed[:, genes] = values @ weight.T
    return summed


def _change(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of the deviations of a type's genes, (n_samples, n_genes), that is a change of the type.

    It is what a gene shares with its neighbours: the gene is regressed on the sum of their deviations, each
    scaled to norm 1. The residual is noise. It does not correlate with the change, so all types can share it
    without a trace of the change in the others.
    """
    mean = deviation.mean(0)
    centred = deviation - mean
    log_ratio = np.log(np.maximum(1 + deviation, _MIN_OWN))
    common = _sum_of_neighbours(centred / (np.linalg.norm(centred, axis=0) + 1e-9), log_ratio)
    common /= np.linalg.norm(common, axis=0) + 1e-9
    return mean + (centred * common).sum(0) * common


def _split_change(
    k: int,
    linear: NDArray[np.float64],
    predicted: NDArray[np.float64],
    share: NDArray[np.float64],
    change: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Split samples, (n_samples, n_genes), by the shares, (n_samples, n_types, n_genes), if type k changes.

    The change is relative to the predicted samples. What it leaves is noise, a factor of all types alike.
    Type k stays positive and below a limit. A gene that is predicted to be absent is split by the shares.
    """
    seen = predicted > 0
    observed = np.divide(linear, predicted, where=seen, out=np.ones_like(linear))
    part = share[:, k]
    own = np.clip(part * (observed - change) + change, _MIN_OWN * part, _MAX_OWN * part)
    own = np.where(part < 1, np.minimum(own, observed), observed)
    factor = np.divide(observed - own, 1 - part, where=part < 1, out=np.zeros_like(own))
    parts = share * (factor * predicted)[:, None]
    parts[:, k] = own * predicted
    return np.where(seen[:, None], parts, share * linear[:, None])


def expression_table(bulk: AnnData, fractions: pd.DataFrame, *, signature: ReferenceSignature) -> AnnData:
    """Split bulk samples by cell type, as an AnnData.

    Parameters
    ----------
    bulk
        Samples × genes, linear, genes named as in ``signature``.
    fractions
        Cell fractions, samples × cell types. Those of the known types are scaled to sum 1.
    signature
        The reference.

    Returns
    -------
    One row for each sample and type × genes of the reference; ``X`` is empty. ``layers["counts"]``: the
    contribution of the type to the sample, in the unit of the sample; the sum over types is the sample.
    ``layers["cpm"]``: expression of the type; the sum weighted by ``obs["rna_fraction"]`` is the sample's
    CPM. ``obs["information"]``, 0 to 1: how much of a row was inferred from the sample rather than taken from
    the reference. ``var["varies_in"]``: the type in which a gene varies between samples.

    Raises
    ------
    InputError
        A sample or a cell type is missing from the fractions.
    """
    names = pd.Index(signature.all_genes.genes)
    genes = names[names.isin(bulk.var_names)]
    linear = bulk[:, genes].to_df().to_numpy(np.float64)
    missing = sorted(set(bulk.obs_names) - set(fractions.index)) + sorted(
        set(signature.all_genes.cell_types) - set(fractions)
    )
    if missing:
        msg = f"'{missing[0]}' is missing from the fractions. Pass those of all samples and cell types."
        raise InputError(msg)
    p = fractions.loc[bulk.obs_names, list(signature.all_genes.cell_types)].to_numpy(np.float64)
    p = p / p.sum(1, keepdims=True)
    counts = signature.cell_counts()[names.get_indexer(genes)]
    parts = split_by_cell_type(linear, fractions=p, counts=counts)
    n, n_types, n_genes = parts.contribution.shape
    rna = rna_fractions(p, signature.all_genes.rna_content)
    amount = rna * linear.sum(1)[:, None]
    cpm = (
        parts.contribution
        * np.divide(CPM_TOTAL, amount, where=amount > 0, out=np.zeros_like(amount))[:, :, None]
    )
    absent = np.nonzero(amount == 0)
    cpm[absent] = counts_to_cpm(counts.T)[absent[1]]  # that of the reference for a type that is absent
    samples = np.repeat(bulk.obs_names, n_types)
    types = np.tile(signature.all_genes.cell_types, n)
    obs = pd.DataFrame(
        {
            "sample": pd.Categorical(samples, categories=bulk.obs_names.unique()),
            _keys.CELL_TYPE: pd.Categorical(types, categories=list(signature.all_genes.cell_types)),
            "fraction": p.ravel(),
            "rna_fraction": rna.ravel(),
            "information": parts.information.ravel(),
        },
        index=[f"{sample}|{cell_type}" for sample, cell_type in zip(samples, types, strict=True)],
    )
    no_single = parts.varies_in == NO_SINGLE_TYPE
    named = np.array(signature.all_genes.cell_types)[np.where(no_single, 0, parts.varies_in)]
    table = AnnData(
        obs=obs,
        var=pd.DataFrame(
            {"varies_in": pd.Categorical(np.where(no_single, _keys.ALL_TYPES, named))}, index=genes
        ),
        layers={
            _keys.COUNTS: parts.contribution.reshape(-1, n_genes),
            _keys.CPM: cpm.astype(np.float32, copy=False).reshape(-1, n_genes),
        },
    )
    table.uns[_keys.UNS] = {"unit": bulk.uns.get(_keys.UNS, {}).get("unit", "not checked")}
    return table
