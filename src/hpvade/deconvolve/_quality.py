"""What to distrust in a sample's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade.deconvolve._fit import MAD_TO_SD
from hpvade.metrics._functions import pearson_last_axis
from hpvade.pp import WHOLE_TRANSCRIPTOME, cpm_to_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import NDArray


class Flag(NamedTuple):
    """What it means that a flag was raised, what to do, and whether it puts the whole answer in doubt."""

    meaning: str
    remedy: str
    is_grave: bool = True


FLAGS = {
    "few_genes": Flag(
        "the table lacks more than half of the model's genes",
        "Compare gene names; train with the bulk table at hand, so that the model reads genes that it has.",
    ),
    "poor_fit": Flag(
        "the fractions do not reconstruct the sample",
        "Look whether the values are of this sample: a bad array or a broken table?",
    ),
    "out_of_distribution": Flag(
        "genes are further off than platforms put them; another tissue, or noise",
        "Is it the reference's tissue and species? Is the sample degraded? Do not use its fractions.",
    ),
    "flat": Flag(
        "no gene stands out; the values may be logarithms, or the highest genes are missing",
        "For logarithms give --bulk-unit log2. If the highest genes are missing, use fractions with care "
        "and unknown content not at all.",
    ),
    "one_type": Flag(
        "nearly all of the sample is one type",
        "Right for sorted cells; else the reference may lack what the sample is made of.",
        is_grave=False,
    ),
    "wide_interval": Flag(
        "an interval is too wide to be of use",
        "Look whether a sum of types that are alike is surer (levels show it), or leave the sample out.",
        is_grave=False,
    ),
    "unknown_content": Flag(
        "a good part of the sample is like no cell type of the reference",
        "Look at its unknown_genes and add the type to the reference. Fractions are among the known types.",
    ),
}
_FEWEST_GENES = 0.5  # share of the model's genes
_POOREST_FIT = 0.5  # correlation of S·r with the sample
# Standard deviation of log residuals: a typical gene is off threefold. With four references of blood, 52
# samples of blood, on which this was chosen, reach 1.05; liver, brain, lung and pancreas begin at 1.11.
_LARGEST_RESIDUAL = 1.08
_FEWEST_IN_TOP = 0.1  # share of a sample's total in the top hundredth of its genes
_LARGEST_FRACTION = 0.95
_WIDEST = 0.5
_LARGEST_UNKNOWN = 0.3
JUDGED_LEVEL = 0.9  # of the intervals whose width is judged, whatever level is reported


def quality(
    bulk: AnnData,
    *,
    cpm: NDArray[np.float64],
    expected: NDArray[np.float64],
    measured: NDArray[np.bool_],
    fractions: NDArray[np.float64],
    widest: Mapping[str, NDArray[np.float64]],
    unknown: pd.DataFrame,
    noise_floor: float,
) -> pd.DataFrame:
    """Judge the answer of each sample.

    Parameters
    ----------
    bulk
        The samples, over all genes of their table.
    cpm, expected
        The samples and their reconstruction S·r over the model's genes, shape (n_samples, n_genes), CPM.
    measured
        Genes of the model that the table has, shape (n_genes,).
    fractions
        Cell fractions, shape (n_samples, n_types).
    widest
        Name of each level, the coarsest first and the cell types last → width of the widest interval of each
        sample at `JUDGED_LEVEL`, shape (n_samples,).
    unknown
        Samples × ``unknown``, ``unknown_lower``, ``unknown_upper``, ``unknown_genes``.
    noise_floor
        CPM below which differences are noise.

    Returns
    -------
    Samples × ``genes_used``, ``gene_overlap``, ``unit_detected``, ``reconstruction_r`` (log space),
    ``residual_sd`` (natural log), the columns of ``unknown``, with several levels ``trusted_level``, and
    ``flags``: names of `FLAGS`, joined by ``;``.
    """
    observed, modelled = cpm[:, measured], expected[:, measured]
    r = pearson_last_axis(cpm_to_log(modelled), cpm_to_log(observed))
    log_ratio = np.log((observed + noise_floor) / (modelled + noise_floor))
    centred = np.abs(log_ratio - np.median(log_ratio, axis=1, keepdims=True))
    spread = MAD_TO_SD * np.median(centred, axis=1)
    raised = {
        "few_genes": np.full(bulk.n_obs, measured.mean() < _FEWEST_GENES),
        "poor_fit": ~(r >= _POOREST_FIT),
        "out_of_distribution": spread > _LARGEST_RESIDUAL,
        "flat": _share_of_top(bulk) < _FEWEST_IN_TOP,
        "one_type": fractions.max(1) > _LARGEST_FRACTION,
        "wide_interval": list(widest.values())[-1] > _WIDEST,
        "unknown_content": (unknown["unknown"] > _LARGEST_UNKNOWN).to_numpy(),
    }
    judged = pd.DataFrame(
        {
            "genes_used": int(measured.sum()),
            "gene_overlap": float(measured.mean()),
            "unit_detected": bulk.uns.get(_keys.UNS, {}).get("unit", "not checked"),
            "reconstruction_r": r,
            "residual_sd": spread,
        },
        index=bulk.obs_names,
    )
    table = pd.concat([judged, unknown], axis=1)
    if len(widest) > 1:
        table["trusted_level"] = _trusted_level(
            widest, doubtful=raised["poor_fit"] | raised["out_of_distribution"]
        )
    table["flags"] = [";".join(name for name in FLAGS if raised[name][i]) for i in range(bulk.n_obs)]
    return table


def _trusted_level(widest: Mapping[str, NDArray[np.float64]], *, doubtful: NDArray[np.bool_]) -> list[str]:
    """Finest level at which no interval of a sample is too wide to be of use; empty where there is none."""
    told = np.full(len(doubtful), "", dtype=object)
    for level, width in widest.items():
        told[(width <= _WIDEST) & ~doubtful] = level
    return list(told)


def _share_of_top(bulk: AnnData) -> NDArray[np.float64]:
    """Share of each sample's total in the top hundredth of its genes; 1 for a table of chosen genes."""
    if bulk.n_vars < WHOLE_TRANSCRIPTOME:
        return np.ones(bulk.n_obs)
    linear = bulk.to_df().to_numpy(np.float64)
    n_top = bulk.n_vars // 100
    top = np.partition(linear, -n_top, axis=1)[:, -n_top:]
    share: NDArray[np.float64] = top.sum(1) / linear.sum(1)
    return share
