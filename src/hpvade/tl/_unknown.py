"""Unknown content: the share of a sample's cells that are of no type of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpvade.pp import counts_to_cpm
from hpvade.tl._fit import MAD_TO_SD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.pp import Profiles

FEWEST_ANCHORS = 100
_QUANTILE = 0.3  # over types: what a cell of whatever type expresses of a gene
_ANCHORS_SAY = 0.2  # weight of all anchors, that of all the model's genes being 1
_OUTLIER = 1.5  # standard deviations of residuals
_LEAST_SLOPE = 0.5
_COARSE = np.linspace(0, 0.95, 20)
_FINE = np.linspace(-0.04, 0.04, 9)
_COHORT = 4  # samples
_MOST_GENES = 5
_LEAST_RATIO = np.log(3)
_LEAST_TELLING = 50.0  # CPM


class GenericCell(NamedTuple):
    """A cell of a type that the reference lacks, and the genes that tell it from those that it has.

    Attributes
    ----------
    genes
        Positions among the genes of `Profiles`: the model's, then the anchors; shape (n_genes,).
    of_types
        Counts of one cell of each type, shape (n_genes, n_types).
    counts
        Counts of one generic cell, shape (n_genes,).
    weight
        Say of each gene, shape (n_genes,), sum 1.
    """

    genes: NDArray[np.intp]
    of_types: NDArray[np.float64]
    counts: NDArray[np.float64]
    weight: NDArray[np.float64]

    def measured(self, genes: NDArray[np.bool_]) -> GenericCell:
        """Restrict to measured genes, a mask over the genes of `Profiles`."""
        kept = genes[self.genes]
        weight = self.weight[kept]
        return GenericCell(self.genes[kept], self.of_types[kept], self.counts[kept], weight / weight.sum())

    def without(self, cell_type: int) -> GenericCell:
        """Leave a type out of the reference."""
        return generic_cell(self.genes, np.delete(self.of_types, cell_type, axis=1), weight=self.weight)


def generic_cell(
    genes: NDArray[np.intp], of_types: NDArray[np.float64], *, weight: NDArray[np.float64]
) -> GenericCell:
    """Make a generic cell from the cells of the known types: it lacks the markers of all of them.

    Of each gene it holds the 30 % quantile over types, in CPM; its RNA content is their geometric mean.
    """
    content = of_types.sum(0)
    profile = np.quantile(of_types / content, _QUANTILE, axis=1)
    return GenericCell(genes, of_types, profile * np.exp(np.log(content).mean()), weight / weight.sum())


def generic_cell_of(
    profiles: Profiles, *, trust: NDArray[np.floating], measured: NDArray[np.bool_]
) -> GenericCell | None:
    """Make the generic cell of a reference; None where fewer than 100 anchors are measured.

    Parameters
    ----------
    profiles
        The reference.
    trust
        Trust of the model's genes, shape (n_selected,).
    measured
        Genes of the reference that the samples have, shape (n_genes,).
    """
    anchors = np.flatnonzero(profiles.anchor & measured)
    if len(anchors) < FEWEST_ANCHORS:
        return None
    selected = np.flatnonzero(profiles.selected)
    there = measured[selected]
    weight = np.asarray(trust, dtype=np.float64)[there]
    of_anchor = _ANCHORS_SAY * weight.sum() / len(anchors)
    genes = np.concatenate([selected[there], anchors])
    return generic_cell(
        genes,
        profiles.counts()[genes],
        weight=np.concatenate([weight, np.full(len(anchors), of_anchor)]),
    )


def generic_share(
    linear: NDArray[np.float64],
    *,
    fractions: NDArray[np.float64],
    cell: GenericCell,
    noise_floor: float,
) -> NDArray[np.float64]:
    """Share of generic cells that fits each sample best, the fractions of the known types being held.

    Minimises on a grid of u, Σ_g w_g ρ(log(b_g + c) − β log(x_g + c) − o) where x is (1 − u) · known +
    u · generic, scaled to CPM, and ρ is Huber's. What all cells express stays in place when unknown cells
    come in; the markers of the known types fall. For each u the slope β is that of least squares, at most 1:
    platforms, arrays above all, compress the range of expression, and that must not pass for unknown cells.
    The offset o is the weighted median.

    Parameters
    ----------
    linear
        Samples over the genes of ``cell``, shape (n_samples, n_genes), linear.
    fractions
        Cell fractions of the known types, shape (n_samples, n_types), rows sum to 1.
    cell
        The generic cell.
    noise_floor
        c, CPM.

    Returns
    -------
    u, shape (n_samples,), between 0 and 0.99.
    """
    log_bulk = np.log(counts_to_cpm(linear) + noise_floor)
    known = fractions @ cell.of_types.T

    def residual(share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Absolute residuals about the offset for one share of each sample, (n_samples, n_genes)."""
        expected = counts_to_cpm((1 - share) * known + share * cell.counts)
        log_expected = np.log(expected + noise_floor)
        centred = log_expected - (log_expected @ cell.weight)[:, None]
        slope = ((centred * log_bulk) @ cell.weight) / (centred**2 @ cell.weight)
        log_ratio = log_bulk - np.clip(slope, _LEAST_SLOPE, 1)[:, None] * log_expected
        return np.abs(log_ratio - weighted_median(log_ratio, cell.weight))

    unlimited = residual(np.zeros((len(linear), 1)))
    scale = MAD_TO_SD * np.median(unlimited, axis=1, keepdims=True) + 1e-6

    def best(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of some shares of each sample, (n_samples, n_shares), the best, (n_samples, 1)."""
        losses = []
        for share in shares.T[:, :, None]:
            size = residual(share) / scale
            within = np.minimum(size, _OUTLIER)
            losses.append((within * (2 * size - within)) @ cell.weight)
        return np.take_along_axis(shares, np.argmin(losses, axis=0)[:, None], 1)

    coarse = best(np.tile(_COARSE, (len(linear), 1)))
    return best(np.clip(coarse + _FINE, 0, None))[:, 0]


def weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted median of each row, shape (n, 1)."""
    order = values.argsort(1)
    middle = (weight[order].cumsum(1) >= weight.sum() / 2).argmax(1)[:, None]
    return np.take_along_axis(values, np.take_along_axis(order, middle, 1), 1)


def log_excess(
    linear: NDArray[np.float64], *, known: NDArray[np.float64], noise_floor: float
) -> NDArray[np.float64]:
    """Log ratio of each gene to what the known types explain, about its median over expressed genes.

    Parameters
    ----------
    linear, known
        Samples, and the mixture of the known types in each, shape (n_samples, n_genes), linear.
    noise_floor
        CPM below which differences are noise.

    Returns
    -------
    Shape (n_samples, n_genes), natural log.
    """
    explained = counts_to_cpm(known)
    ratio = np.log(counts_to_cpm(linear) + noise_floor) - np.log(explained + noise_floor)
    pairs = zip(ratio, explained > noise_floor, strict=True)
    middle = [np.median(row[expressed]) if expressed.any() else 0.0 for row, expressed in pairs]
    return np.asarray(ratio - np.array(middle)[:, None], dtype=np.float64)


def usual_excess(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Excess that the platform may have brought about, shape (n_genes,): that of the lower quarter.

    0 where there are fewer than four samples.
    """
    if len(excess) < _COHORT:
        return np.zeros(excess.shape[1])
    return np.maximum(np.quantile(excess, 0.25, axis=0), 0)


def speaking_genes(
    excess: NDArray[np.float64], linear: NDArray[np.float64], *, names: Sequence[str]
) -> list[str]:
    """Genes of each sample in largest excess, at most five, joined by ``;``; those below 50 CPM do not count.

    ``excess`` and ``linear`` have shape (n_samples, n_genes).
    """
    telling = np.where(counts_to_cpm(linear) < _LEAST_TELLING, 0, excess)
    best = np.argsort(-telling, axis=1)[:, :_MOST_GENES]
    return [
        ";".join(names[g] for g in genes if row[g] > _LEAST_RATIO)
        for row, genes in zip(telling, best, strict=True)
    ]
