"""How far off the unknown share is, measured on mixtures with a type that was left out of the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from hpvade.deconvolve._fit import FractionFit
from hpvade.deconvolve._unknown import generic_cell_of, generic_share
from hpvade.pp import counts_to_cpm
from hpvade.simulate import SimulateConfig, add_unseen_platform_effects, draw_fractions, draw_mixtures

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.pp import CellStates, ReferenceSignature

_FEWEST_TYPES = 3  # of which one is left out
_FEWEST_MIXTURES = 2  # of each type: one without it, one with it
_LARGEST_SHARE = 0.8
_SMALLEST_SLOPE = 1 / 3
_N_CELLS = 1_000
_MOST_UNKNOWN = 0.99  # something of the known types is always left to tell their fractions by


class LabelledCells(NamedTuple):
    """Held-out cells: raw counts over all genes, type, and weight to the RNA content of the type."""

    counts: sp.csr_matrix  # (n_cells, n_genes)
    cell_type: NDArray[np.integer]  # (n_cells,)
    rna_weight: NDArray[np.float64] | None  # (n_cells,)


@dataclass(frozen=True, slots=True)
class UnknownCalibration:
    """What generic shares mean, from types that were left out in turn.

    Attributes
    ----------
    base, slope
        Generic share without unknown content, and for each unit of it, shape (1,): no unknown cell is quite
        generic.
    errors
        True share minus estimate on the calibration mixtures, sorted, shape (n_mixtures,). Half of them have
        no unknown content, the others up to 80 %.
    """

    base: NDArray[np.float64]
    slope: NDArray[np.float64]
    errors: NDArray[np.float64]

    def share(self, generic: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unknown share from the generic share, shape (n_samples,)."""
        return np.clip((generic - self.base) / self.slope, 0, _MOST_UNKNOWN)

    def interval(
        self, share: NDArray[np.float64], *, level: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bounds that hold for a type that is as like the others as those that were left out."""
        n = len(self.errors)
        outside = math.floor((n + 1) * (1 - level) / 2)
        if outside < 1:
            return np.zeros_like(share), np.ones_like(share)
        lower, upper = self.errors[outside - 1], self.errors[n - outside]
        return np.clip(share + lower, 0, share), np.clip(share + upper, share, 1)


def calibrate_unknown(
    cells: LabelledCells,
    *,
    signature: ReferenceSignature,
    states: CellStates,
    trust: NDArray[np.floating],
    config: DeconvolveConfig,
    rng: np.random.Generator,
) -> UnknownCalibration | None:
    """Leave each type out of the reference in turn, and look for it in mixtures that hold it.

    The mixtures have platform effects unlike those of training. None where the reference has fewer than
    three types or too few anchors, or too few mixtures are asked for: nothing is then told.

    Parameters
    ----------
    cells
        Cells that the network was not trained on.
    signature, states
        The reference; both have seen these cells.
    trust
        Trust of the model's genes, shape (n_selected,).
    config
        How samples will be answered; half of ``n_calibration`` mixtures are made.
    rng
        Source of randomness.
    """
    n_types = len(signature.all_genes.cell_types)
    cell = generic_cell_of(signature, trust=trust, measured=np.ones(len(signature.selected), dtype=bool))
    n_each = math.ceil(config.n_calibration / 2 / n_types)
    if cell is None or n_types < _FEWEST_TYPES or n_each < _FEWEST_MIXTURES:
        return None
    of_model = signature.model_genes
    of_states = states.expand(of_model.cpm)
    counts = cells.counts[:, cell.genes]
    generic, truth = [], []
    for k in range(n_types):
        others = np.delete(signature.all_genes.cell_types, k)
        known = draw_fractions(n_each, list(others), rng=rng, config=SimulateConfig())
        share = rng.uniform(0, _LARGEST_SHARE, (n_each, 1)) * (np.arange(n_each)[:, None] % 2)
        fractions = np.insert(known * (1 - share), k, share[:, 0], axis=1)
        sums, realised = draw_mixtures(
            counts,
            cells.cell_type,
            fractions=fractions,
            n_cells=_N_CELLS,
            rng=rng,
            rna_weight=cells.rna_weight,
        )
        mixtures = add_unseen_platform_effects(counts_to_cpm(sums), rng=rng)
        answer = _fit_without(
            k,
            mixtures[:, : len(of_model.genes)],
            of_states=of_states,
            rna_content=of_model.rna_content,
            cell_type=states.cell_type,
            trust=trust,
            config=config,
        )
        generic.append(
            generic_share(mixtures, fractions=answer, cell=cell.without(k), noise_floor=config.noise_floor)
        )
        truth.append(realised[:, k])
    return _calibration(np.stack(generic), np.stack(truth))


def _calibration(generic: NDArray[np.float64], truth: NDArray[np.float64]) -> UnknownCalibration:
    """Calibrate on the generic and the true share of mixtures, both (n_types left out, n_mixtures each).

    The slope is the upper quartile over types: a type that has a sibling in the reference is taken for the
    sibling, and says nothing of how an unlike one shows.
    """
    base = np.median(generic[truth == 0]) if (truth == 0).any() else 0.0
    slopes = ((generic - base) * truth).sum(1) / ((truth**2).sum(1) + 1e-12)
    slope = np.clip(np.quantile(slopes, 0.75), _SMALLEST_SLOPE, 1.0)
    unsure = UnknownCalibration(np.array([base]), np.array([slope]), np.empty(0))
    return replace(unsure, errors=np.sort((truth - unsure.share(generic)).ravel()))


def _fit_without(
    left_out: int,
    mixtures: NDArray[np.float64],
    *,
    of_states: NDArray[np.float64],
    rna_content: NDArray[np.float64],
    cell_type: NDArray[np.int64],
    trust: NDArray[np.floating],
    config: DeconvolveConfig,
) -> NDArray[np.float64]:
    """Fractions of the other types, shape (n_mixtures, n_types - 1), over the model's genes.

    By the fit alone, with an even prior: there is no network that does not know the type.
    """
    kept = cell_type != left_out
    remaining = cell_type[kept] - (cell_type[kept] > left_out)
    size = np.bincount(remaining)
    even = np.tile((1 / (size * len(size)))[remaining], (len(mixtures), 1))
    fit = FractionFit(
        torch.from_numpy(of_states[:, kept]),
        rna_content=torch.from_numpy(rna_content[cell_type[kept]]),
        trust=torch.from_numpy(np.asarray(trust, dtype=np.float64)),
        prior_strength=config.prior_strength,
        noise_floor=config.noise_floor,
        outlier=config.outlier,
    )
    p = fit(torch.from_numpy(counts_to_cpm(mixtures)), torch.from_numpy(even)).numpy()
    return p @ np.eye(len(size))[remaining]
