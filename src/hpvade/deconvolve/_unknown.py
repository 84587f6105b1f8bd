"""Unknown content: the share of a sample's cells that are of no type of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from hpvade.pp import counts_to_cpm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.pp import ReferenceSignature

FEWEST_ANCHORS = 100
_QUANTILE = 0.3  # over types: what a cell of whatever type expresses of a gene
_ANCHORS_SAY = 0.2  # weight of all anchors, that of all the model's genes being 1
_COHORT = 4  # samples
_MOST_GENES = 5
_LEAST_RATIO = np.log(3)
_LEAST_TELLING = 50.0  # CPM


class GenericCell(NamedTuple):
    """A cell of a type that the reference lacks, and the genes that tell it from those that it has.

    Attributes
    ----------
    genes
        Positions among the genes of `ReferenceSignature`: the model's, then the anchors; shape (n_genes,).
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
        """Restrict to measured genes, a mask over the genes of `ReferenceSignature`."""
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
    signature: ReferenceSignature, *, trust: NDArray[np.floating], measured: NDArray[np.bool_]
) -> GenericCell | None:
    """Make the generic cell of a reference; None where fewer than 100 anchors are measured.

    Parameters
    ----------
    signature
        The reference.
    trust
        Trust of the model's genes, shape (n_selected,).
    measured
        Genes of the reference that the samples have, shape (n_genes,).
    """
    anchors = np.flatnonzero(signature.anchor & measured)
    if len(anchors) < FEWEST_ANCHORS:
        return None
    selected = np.flatnonzero(signature.selected)
    there = measured[selected]
    weight = np.asarray(trust, dtype=np.float64)[there]
    of_anchor = _ANCHORS_SAY * weight.sum() / len(anchors)
    genes = np.concatenate([selected[there], anchors])
    return generic_cell(
        genes,
        signature.cell_counts()[genes],
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
    The offset o is the best one. ρ becomes linear at 1.5 standard deviations of the residuals at u = 0, by
    their median.

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
    from hpvade.deconvolve._share_kernel import best_share  # noqa: PLC0415 - numba takes half a second to import

    return best_share(
        np.log(counts_to_cpm(linear) + noise_floor),
        known=fractions @ cell.of_types.T,
        generic=cell.counts,
        weight=cell.weight,
        noise_floor=noise_floor,
    )


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
    ratio = np.log((counts_to_cpm(linear) + noise_floor) / (explained + noise_floor))
    of_expressed = np.where(explained > noise_floor, ratio, np.nan)
    middle = torch.from_numpy(of_expressed).nanmedian(1, keepdim=True).values
    return np.asarray(ratio - middle.nan_to_num().numpy(), dtype=np.float64)


def usual_excess(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Excess that the platform may have brought about, shape (n_genes,): that of the lower quarter.

    0 where there are fewer than four samples.
    """
    if len(excess) < _COHORT:
        return np.zeros(excess.shape[1])
    return np.maximum(np.quantile(excess, 0.25, axis=0), 0)


def top_unexplained_genes(
    excess: NDArray[np.float64], linear: NDArray[np.float64], *, names: Sequence[str]
) -> list[str]:
    """Genes of each sample in largest excess, at most five, joined by ``;``; those below 50 CPM do not count.

    ``excess`` and ``linear`` have shape (n_samples, n_genes).
    """
    telling = np.where(counts_to_cpm(linear) < _LEAST_TELLING, 0, excess)
    n_best = min(_MOST_GENES, telling.shape[1])
    best = torch.from_numpy(telling).topk(n_best, dim=1).indices.sort(1).values.numpy()
    largest_first = np.argsort(-np.take_along_axis(telling, best, 1), axis=1, kind="stable")
    best = np.take_along_axis(best, largest_first, 1)
    return [
        ";".join(names[g] for g in genes if row[g] > _LEAST_RATIO)
        for row, genes in zip(telling, best, strict=True)
    ]
