"""The genes that the known types do not explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from hpvade.pp import counts_to_cpm, is_ribosomal_or_mitochondrial
from hpvade.pp._spaces import floored_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.pp import ReferenceSignature

_MIN_SAMPLES = 4  # from which an excess that samples share can be learned
_MAX_GENES = 5
_MIN_LOG_RATIO = np.log(3)
_MIN_EXPRESSION = 50.0  # CPM


class Excess:
    """Finds genes that the known types do not explain, in the samples of one table.

    Attributes
    ----------
    usual
        Excess of each gene that other samples have too; 0 before `learn`.
    """

    def __init__(
        self,
        signature: ReferenceSignature,
        *,
        symbols: NDArray[np.str_],
        measured: NDArray[np.bool_],
        noise_floor: float,
    ) -> None:
        self.genes = measured & ~is_ribosomal_or_mitochondrial(symbols)
        self.names = [name for name, used in zip(signature.all_genes.genes, self.genes, strict=True) if used]
        self.counts = signature.cell_counts()[self.genes]
        self.noise_floor = noise_floor
        self.usual = np.zeros(len(self.names))

    def log_ratio(self, linear: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log ratio of each gene to the expression that the known types explain.

        Parameters
        ----------
        linear
            Samples over all genes of the reference, above background, shape (n_samples, n_genes).
        fractions
            Cell fractions of the known types, shape (n_samples, n_types), rows sum to 1.

        Returns
        -------
        Shape (n_samples, n_used), natural log; see `log_excess`.
        """
        known = fractions @ self.counts.T
        return log_excess(linear[:, self.genes], known=known, noise_floor=self.noise_floor)

    def learn(self, log_ratio: NDArray[np.float64]) -> None:
        """Learn the excess that representative samples share, from their `log_ratio`."""
        self.usual = usual_excess(log_ratio)

    def top_genes(self, linear: NDArray[np.float64], log_ratio: NDArray[np.float64]) -> list[str]:
        """Genes with the largest excess in each sample that other samples do not have too."""
        return top_unexplained_genes(log_ratio - self.usual, linear[:, self.genes], names=self.names)


def log_excess(
    linear: NDArray[np.float64], *, known: NDArray[np.float64], noise_floor: float
) -> NDArray[np.float64]:
    """Log ratio of each gene to the expression that the known types explain, centred for each sample.

    The centre is the median over the genes that the known types express.

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
    ratio = floored_log(counts_to_cpm(linear), noise_floor) - floored_log(explained, noise_floor)
    expressed = np.where(explained > noise_floor, ratio, np.nan)
    middle = torch.from_numpy(expressed).nanmedian(1, keepdim=True).values
    return np.asarray(ratio - middle.nan_to_num().numpy(), dtype=np.float64)


def usual_excess(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Excess that may be due to the platform, shape (n_genes,): the lower quartile over samples.

    0 for fewer than four samples.
    """
    if len(excess) < _MIN_SAMPLES:
        return np.zeros(excess.shape[1])
    return np.maximum(np.quantile(excess, 0.25, axis=0), 0)


def top_unexplained_genes(
    excess: NDArray[np.float64], linear: NDArray[np.float64], *, names: Sequence[str]
) -> list[str]:
    """Up to five genes with the largest excess in each sample, joined by ``;``.

    Genes below 50 CPM or less than threefold in excess are left out. ``excess`` and ``linear`` have shape
    (n_samples, n_genes).
    """
    informative = np.where(counts_to_cpm(linear) < _MIN_EXPRESSION, 0, excess)
    n_best = min(_MAX_GENES, informative.shape[1])
    best = torch.from_numpy(informative).topk(n_best, dim=1).indices.sort(1).values.numpy()
    largest_first = np.argsort(-np.take_along_axis(informative, best, 1), axis=1, kind="stable")
    best = np.take_along_axis(best, largest_first, 1)
    return [
        ";".join(names[g] for g in genes if row[g] > _MIN_LOG_RATIO)
        for row, genes in zip(informative, best, strict=True)
    ]
