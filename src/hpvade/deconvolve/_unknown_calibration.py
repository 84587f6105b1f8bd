"""Calibration of the unknown share, on mixtures with a cell type that was left out of the reference."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from hpvade.deconvolve._fit import FractionFit
from hpvade.deconvolve._unknown import GenericCell, UnknownCalibration, generic_share
from hpvade.pp import counts_to_cpm
from hpvade.simulate import SimulateConfig, add_unseen_platform_effects, draw_fractions, draw_mixtures

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.pp import CellStates, ReferenceSignature

_MIN_TYPES = 3  # of which one is left out
_MIN_MIXTURES = 2  # for each type: one without it, one with it
_MAX_SHARE = 0.8
_MIN_SLOPE = 1 / 3
_N_CELLS = 1_000


class LabelledCells(NamedTuple):
    """Held-out cells: raw counts over all genes, cell type, and weight in the RNA content of the type."""

    counts: sp.csr_matrix  # (n_cells, n_genes)
    cell_type: NDArray[np.integer]  # (n_cells,)
    rna_weight: NDArray[np.float64] | None  # (n_cells,)


def calibrate_unknown(
    cells: LabelledCells,
    *,
    signature: ReferenceSignature,
    states: CellStates,
    trust: NDArray[np.floating],
    config: DeconvolveConfig,
    rng: np.random.Generator,
) -> UnknownCalibration | None:
    """Leave each type out of the reference in turn, and estimate its share in mixtures that contain it.

    The mixtures have platform effects unlike those of training. None (unknown content cannot be estimated) if
    the reference has fewer than three types or too few anchors, or too few mixtures are requested.

    Parameters
    ----------
    cells
        Cells that the network was not trained on.
    signature, states
        The reference; both were made with these cells.
    trust
        Trust of the model's genes, shape (n_selected,).
    config
        How samples will be deconvolved; half of ``n_calibration`` mixtures are made.
    rng
        Source of randomness.
    """
    n_types = len(signature.all_genes.cell_types)
    cell = GenericCell.from_reference(
        signature, trust=trust, measured=np.ones(len(signature.selected), dtype=bool)
    )
    n_each = math.ceil(config.n_calibration / 2 / n_types)
    if cell is None or n_types < _MIN_TYPES or n_each < _MIN_MIXTURES:
        return None
    model_genes = signature.model_genes
    state_cpm = states.expand(model_genes.cpm)
    counts = cells.counts[:, cell.genes]
    generic, truth = [], []
    for k in range(n_types):
        others = np.delete(signature.all_genes.cell_types, k)
        known = draw_fractions(n_each, list(others), rng=rng, config=SimulateConfig())
        share = rng.uniform(0, _MAX_SHARE, (n_each, 1)) * (np.arange(n_each)[:, None] % 2)
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
        estimate = _fit_without(
            k,
            mixtures[:, : len(model_genes.genes)],
            state_cpm=state_cpm,
            rna_content=model_genes.rna_content,
            cell_type=states.cell_type,
            trust=trust,
            config=config,
        )
        generic.append(
            generic_share(mixtures, fractions=estimate, cell=cell.without(k), noise_floor=config.noise_floor)
        )
        truth.append(realised[:, k])
    return _calibration(np.stack(generic), np.stack(truth))


def _calibration(generic: NDArray[np.float64], truth: NDArray[np.float64]) -> UnknownCalibration:
    """Calibrate on the generic and the true share of mixtures, both (n_types left out, n_mixtures each).

    The slope is the upper quartile over types: a type that has a similar type in the reference is assigned to
    that one, and is not informative about the effect of a dissimilar type.
    """
    base = np.median(generic[truth == 0]) if (truth == 0).any() else 0.0
    slopes = ((generic - base) * truth).sum(1) / ((truth**2).sum(1) + 1e-12)
    slope = np.clip(np.quantile(slopes, 0.75), _MIN_SLOPE, 1.0)
    without_errors = UnknownCalibration(np.array([base]), np.array([slope]), np.empty(0))
    return replace(without_errors, errors=np.sort((truth - without_errors.share(generic)).ravel()))


def _fit_without(
    left_out: int,
    mixtures: NDArray[np.float64],
    *,
    state_cpm: NDArray[np.float64],
    rna_content: NDArray[np.float64],
    cell_type: NDArray[np.int64],
    trust: NDArray[np.floating],
    config: DeconvolveConfig,
) -> NDArray[np.float64]:
    """Fractions of the other types, shape (n_mixtures, n_types - 1), over the model's genes.

    From the fit alone, with equal prior fractions, because the network was trained on the type.
    """
    kept = cell_type != left_out
    remaining = cell_type[kept] - (cell_type[kept] > left_out)
    size = np.bincount(remaining)
    prior = np.tile((1 / (size * len(size)))[remaining], (len(mixtures), 1))
    fit = FractionFit(
        torch.from_numpy(state_cpm[:, kept]),
        rna_content=torch.from_numpy(rna_content[cell_type[kept]]),
        trust=torch.from_numpy(np.asarray(trust, dtype=np.float64)),
        prior_strength=config.prior_strength,
        noise_floor=config.noise_floor,
        outlier=config.outlier,
    )
    p = fit(torch.from_numpy(counts_to_cpm(mixtures)), torch.from_numpy(prior)).numpy()
    return p @ np.eye(len(size))[remaining]
