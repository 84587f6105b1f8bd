"""Unknown content: the share of a sample's cells that belong to no cell type of the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numba
import numpy as np
import pandas as pd
import torch

from hpvade.deconvolve._fit import MAD_TO_SD
from hpvade.pp import counts_to_cpm, is_ribosomal_or_mitochondrial
from hpvade.pp._spaces import floored_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.pp import ReferenceSignature

_MIN_ANCHORS = 100
_QUANTILE = 0.3  # over types: expression of a gene in a cell of any type
_ANCHOR_WEIGHT = 0.2  # of all anchors together, relative to all the model's genes
_MIN_SAMPLES = 4  # from which an excess that samples share can be learned
_MAX_GENES = 5
_MIN_LOG_RATIO = np.log(3)
_MIN_EXPRESSION = 50.0  # CPM
_MAX_UNKNOWN = 0.99  # the fractions of the known types need some known cells

_OUTLIER = 1.5  # standard deviations of residuals
_MIN_SLOPE = np.float32(0.5)
_COARSE = np.linspace(0, 0.95, 20, dtype=np.float32)
_FINE = np.linspace(-0.04, 0.04, 9, dtype=np.float32)
_OFFSET_STEPS = 2
_MIN_LIMIT = 1e-6
_MIN_WITHIN = np.float32(1e-3)  # weight
_ZERO, _ONE, _TWO, _CPM_TOTAL = (np.float32(x) for x in (0, 1, 2, 1e6))


class GenericCell(NamedTuple):
    """A cell of a type that the reference lacks, and the genes that distinguish it from the known types.

    It lacks the markers of all known types. In CPM it has the 30% quantile of each gene over the types; its
    RNA content is their geometric mean.

    Attributes
    ----------
    genes
        Positions among the genes of `ReferenceSignature`: the model's, then the anchors; shape (n_genes,).
    type_counts
        Counts of one cell of each known type, shape (n_genes, n_types).
    counts
        Counts of one generic cell, shape (n_genes,).
    weight
        Weight of each gene, shape (n_genes,), sum 1.
    """

    genes: NDArray[np.intp]
    type_counts: NDArray[np.float64]
    counts: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def from_types(
        cls, genes: NDArray[np.intp], type_counts: NDArray[np.float64], *, weight: NDArray[np.float64]
    ) -> Self:
        """Make it from the cells of the known types; parameters as the attributes."""
        content = type_counts.sum(0)
        profile = np.quantile(type_counts / content, _QUANTILE, axis=1)
        return cls(genes, type_counts, profile * np.exp(np.log(content).mean()), weight / weight.sum())

    @classmethod
    def from_reference(
        cls,
        signature: ReferenceSignature,
        *,
        trust: NDArray[np.floating],
        measured: NDArray[np.bool_],
    ) -> Self | None:
        """Make it from a reference; None if fewer than 100 anchors are measured.

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
        if len(anchors) < _MIN_ANCHORS:
            return None
        selected = np.flatnonzero(signature.selected)
        present = measured[selected]
        weight = np.asarray(trust, dtype=np.float64)[present]
        anchor_weight = _ANCHOR_WEIGHT * weight.sum() / len(anchors)
        genes = np.concatenate([selected[present], anchors])
        return cls.from_types(
            genes,
            signature.cell_counts()[genes],
            weight=np.concatenate([weight, np.full(len(anchors), anchor_weight)]),
        )

    def without(self, cell_type: int) -> GenericCell:
        """Leave a type out of the reference."""
        return self.from_types(self.genes, np.delete(self.type_counts, cell_type, axis=1), weight=self.weight)


def generic_share(
    linear: NDArray[np.float64],
    *,
    fractions: NDArray[np.float64],
    cell: GenericCell,
    noise_floor: float,
) -> NDArray[np.float64]:
    """Share of generic cells that fits each sample best, with the fractions of the known types fixed.

    Minimises on a grid of u, Σ_g w_g ρ(log(b_g + c) − β log(x_g + c) − o) where x is (1 − u) · known +
    u · generic, scaled to CPM, and ρ is Huber's. Unknown cells leave the genes that all cells express
    unchanged and lower the markers of the known types. For each u the slope β is that of least squares, at
    most 1: platforms, above all arrays, compress the range of expression, which must not be mistaken for
    unknown cells. The offset o is the best one. ρ becomes linear at 1.5 standard deviations of the residuals
    at u = 0, estimated from their median. Computed in single precision, each sample separately.

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
    best = np.zeros(len(linear), np.float32)
    log_bulk, known, generic, weight = (
        np.ascontiguousarray(values, dtype=np.float32)
        for values in (
            floored_log(counts_to_cpm(linear), noise_floor),
            fractions @ cell.type_counts.T,
            cell.counts,
            cell.weight,
        )
    )
    _search(log_bulk, known, generic, weight, np.float32(noise_floor), best)
    return best.astype(np.float64)


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


@dataclass(frozen=True, slots=True)
class UnknownCalibration:
    """Relation of generic shares to unknown content, from types that were left out in turn.

    Attributes
    ----------
    base, slope
        Generic share without unknown content, and its increase per unit of unknown content, shape (1,): no
        unknown cell is entirely generic.
    errors
        True share minus estimate on the calibration mixtures, sorted, shape (n_mixtures,). Half of them have
        no unknown content, the others up to 80%.
    """

    base: NDArray[np.float64]
    slope: NDArray[np.float64]
    errors: NDArray[np.float64]

    def share(self, generic: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unknown share from the generic share, shape (n_samples,)."""
        return np.clip((generic - self.base) / self.slope, 0, _MAX_UNKNOWN)

    def interval(
        self, share: NDArray[np.float64], *, coverage: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bounds for a type that resembles the known types as much as those that were left out do."""
        n = len(self.errors)
        outside = math.floor((n + 1) * (1 - coverage) / 2)
        if outside < 1:
            return np.zeros_like(share), np.ones_like(share)
        lower, upper = self.errors[outside - 1], self.errors[n - outside]
        return np.clip(share + lower, 0, share), np.clip(share + upper, share, 1)


class UnknownContent:
    """Estimates unknown content in the samples of one table; made by `for_table`.

    Attributes
    ----------
    usual
        Excess of the informative genes that other samples have too, shape (n_informative,); 0 before
        `learn_usual_excess`.
    """

    def __init__(
        self,
        cell: GenericCell | None,
        calibration: UnknownCalibration | None,
        *,
        names: Sequence[str],
        informative: NDArray[np.bool_],
        counts: NDArray[np.float64],
        noise_floor: float,
    ) -> None:
        self.cell = cell
        self.calibration = calibration
        self.names = names
        self.informative = informative
        self.counts = counts
        self.noise_floor = noise_floor
        self.usual = np.zeros(len(names))

    @classmethod
    def for_table(
        cls,
        signature: ReferenceSignature,
        *,
        trust: NDArray[np.floating],
        measured: NDArray[np.bool_],
        calibration: UnknownCalibration | None,
        config: DeconvolveConfig,
    ) -> Self:
        """Prepare for a table.

        Parameters
        ----------
        signature, trust
            The reference, and the trust of the model's genes.
        measured
            Genes of the reference that the table has, shape (n_genes,).
        calibration
            From types that were left out; None: the share is not available.
        config
            Holds the noise floor.
        """
        names = pd.Index(signature.all_genes.genes)
        informative = measured & ~is_ribosomal_or_mitochondrial(names)
        return cls(
            None
            if calibration is None
            else GenericCell.from_reference(signature, trust=trust, measured=measured),
            calibration,
            names=list(names[informative]),
            informative=informative,
            counts=signature.cell_counts()[informative],
            noise_floor=config.noise_floor,
        )

    def learn_usual_excess(self, linear: NDArray[np.float64], fractions: NDArray[np.float64]) -> None:
        """Learn the excess that representative samples share; parameters as for `table`."""
        self.usual = usual_excess(self._excess(linear, fractions))

    def table(
        self, linear: NDArray[np.float64], fractions: NDArray[np.float64], *, coverage: float
    ) -> pd.DataFrame:
        """Estimate the share of each sample's cells that belong to no known type.

        Parameters
        ----------
        linear
            Samples over all genes of the reference, above background, shape (n_samples, n_genes).
        fractions
            Cell fractions of the known types, shape (n_samples, n_types), rows sum to 1.
        coverage
            Coverage of the interval, between 0 and 1.

        Returns
        -------
        Samples × ``unknown``, ``unknown_lower``, ``unknown_upper`` (shares of cells; NaN: not available) and
        ``unknown_genes``, the genes that the known types explain least.
        """
        share = lower = upper = np.full(len(linear), np.nan)
        if self.cell is not None and self.calibration is not None:
            generic = generic_share(
                linear[:, self.cell.genes],
                fractions=fractions,
                cell=self.cell,
                noise_floor=self.noise_floor,
            )
            share = self.calibration.share(generic)
            lower, upper = self.calibration.interval(share, coverage=coverage)
        excess = self._excess(linear, fractions) - self.usual
        genes = top_unexplained_genes(excess, linear[:, self.informative], names=self.names)
        columns = {"unknown": share, "unknown_lower": lower, "unknown_upper": upper, "unknown_genes": genes}
        return pd.DataFrame(columns)

    def _excess(self, linear: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        known = fractions @ self.counts.T
        return log_excess(linear[:, self.informative], known=known, noise_floor=self.noise_floor)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _search(  # noqa: PLR0917 - compiled code takes plain arrays
    log_bulk: NDArray[np.float32],
    known: NDArray[np.float32],
    generic: NDArray[np.float32],
    weight: NDArray[np.float32],
    noise_floor: np.float32,
    best: NDArray[np.float32],
) -> None:
    """Fill ``best`` with the best share of each sample."""
    total = np.float32(generic.sum())
    for i in range(len(log_bulk)):
        totals = (np.float32(known[i].sum()), total)
        best[i] = _best_share(log_bulk[i], known[i], generic, weight, totals, noise_floor)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _best_share(  # noqa: PLR0917 - compiled code takes plain arrays
    log_bulk: NDArray[np.float32],
    known: NDArray[np.float32],
    generic: NDArray[np.float32],
    weight: NDArray[np.float32],
    totals: tuple[np.float32, np.float32],
    noise_floor: np.float32,
) -> np.float32:
    """Best share of one sample on the coarse grid, then on the fine grid around it."""
    residual = np.empty_like(log_bulk)
    _residual(_ZERO, log_bulk, known, generic, weight, totals, noise_floor, residual)
    centred = np.abs(residual - np.float32(np.median(residual)))
    limit = np.float32(_OUTLIER * MAD_TO_SD * np.median(centred) + _MIN_LIMIT)
    lowest, best, middle = np.float32(np.inf), _ZERO, _ZERO
    for steps in (_COARSE, _FINE):
        for step in steps:
            share = max(middle + step, _ZERO)
            _residual(share, log_bulk, known, generic, weight, totals, noise_floor, residual)
            loss = _loss(residual, weight, limit)
            if loss < lowest:
                lowest, best = loss, share
        middle = best
    return best


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _residual(  # noqa: PLR0917 - compiled code takes plain arrays
    share: np.float32,
    log_bulk: NDArray[np.float32],
    known: NDArray[np.float32],
    generic: NDArray[np.float32],
    weight: NDArray[np.float32],
    totals: tuple[np.float32, np.float32],
    noise_floor: np.float32,
    residual: NDArray[np.float32],
) -> None:
    """Fill ``residual`` with log b − β log x − o for one share, β and o by weighted least squares."""
    scale = _CPM_TOTAL / ((_ONE - share) * totals[0] + share * totals[1])
    known_scale, generic_scale = (_ONE - share) * scale, share * scale
    for g in range(len(log_bulk)):
        residual[g] = math.log(known_scale * known[g] + generic_scale * generic[g] + noise_floor)
    mean = mean_bulk = covariance = variance = _ZERO
    for g in range(len(log_bulk)):
        weighted = weight[g] * residual[g]
        mean += weighted
        mean_bulk += weight[g] * log_bulk[g]
        covariance += weighted * log_bulk[g]
        variance += weighted * residual[g]
    slope = (covariance - mean * mean_bulk) / (variance - mean * mean)
    slope = min(max(slope, _MIN_SLOPE), _ONE)
    offset = mean_bulk - slope * mean
    for g in range(len(log_bulk)):
        residual[g] = log_bulk[g] - slope * residual[g] - offset


@numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _loss(residual: NDArray[np.float32], weight: NDArray[np.float32], limit: np.float32) -> np.float32:
    """Σ_g w_g ρ(residual − o), ρ linear beyond ``limit``; o by Newton steps from 0."""
    offset = _ZERO
    for _ in range(_OFFSET_STEPS):
        slope = within = _ZERO
        for g in range(len(residual)):
            left = residual[g] - offset
            inside = abs(left) < limit
            within += weight[g] if inside else _ZERO
            slope += weight[g] * (left if inside else math.copysign(limit, left))
        offset += slope / max(within, _MIN_WITHIN)
    loss = _ZERO
    for g in range(len(residual)):
        size = abs(residual[g] - offset)
        inside = size if size < limit else limit
        loss += weight[g] * inside * (_TWO * size - inside)
    return loss
