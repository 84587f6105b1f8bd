"""Quality of each sample's result: the columns of ``qc.tsv``, and the flags that warn of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade.deconvolve._fit import MAD_TO_SD
from hpvade.metrics._functions import pearson_last_axis
from hpvade.pp import WHOLE_TRANSCRIPTOME, cpm_to_log
from hpvade.pp._spaces import floored_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

JUDGED_COVERAGE = 0.9  # of the intervals whose width is judged, whatever coverage is reported
_MAX_WIDTH = 0.5  # of an interval that is still useful
_FLAT = 0.1  # share of the total in the top 1% of the genes, below which no genes stand out


class Evidence(NamedTuple):
    """What the flags depend on; each array has shape (n_samples,)."""

    gene_overlap: NDArray[np.float64]  # share of the model's genes that the table has
    reference_overlap: float  # share of the reference's genes that the table has
    reconstruction_r: NDArray[np.float64]  # correlation of S·r with the sample, log space
    residual_sd: NDArray[np.float64]  # of log residuals, natural log
    top_share: NDArray[np.float64]  # share of a sample's total in the top 1% of its genes
    largest_fraction: NDArray[np.float64]
    interval_width: NDArray[np.float64]  # of the widest interval of a cell type at `JUDGED_COVERAGE`
    unknown: NDArray[np.float64]  # unknown content, a share of cells; NaN if not available


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A warning about a sample.

    Attributes
    ----------
    name
        As in the column ``flags``.
    meaning, remedy
        What was found, and what to do.
    condition
        Mask of the samples that have the flag, shape (n_samples,).
    is_grave
        Whether all fractions of the sample are in doubt, also among the known types.
    """

    name: str
    meaning: str
    remedy: str
    condition: Callable[[Evidence], NDArray[np.bool_]]
    is_grave: bool = True


FLAGS = {
    flag.name: flag
    for flag in (
        Flag(
            name="few_genes",
            meaning="the table lacks more than half of the model's genes, or 90% of the reference's",
            remedy="Check the gene names. Train with this bulk table, so that the model uses its genes. For "
            "a panel of genes, interpret similar cell types with caution.",
            condition=lambda found: (found.gene_overlap < 0.5) | (found.reference_overlap < 0.1),
        ),
        Flag(
            name="poor_fit",
            meaning="the estimated fractions do not reconstruct the sample",
            remedy="Check the values of this sample: the array may have failed, or the table may be damaged.",
            condition=lambda found: ~(found.reconstruction_r >= 0.5),  # NaN is a poor fit too
        ),
        Flag(
            name="out_of_distribution",
            meaning="residuals are larger than platform differences explain: other tissue, or noisy data",
            remedy="Check that tissue and species match the reference and that the sample is not degraded. "
            "Do not use its fractions.",
            # A typical gene is threefold off. With four references of blood, the 52 samples of blood on which
            # the limit was chosen have at most 1.05; liver, brain, lung and pancreas have at least 1.11.
            condition=lambda found: found.residual_sd > 1.08,
        ),
        Flag(
            name="flat",
            meaning="no genes stand out: the values may be logarithms, or the most highly expressed genes "
            "are missing",
            remedy="If the values are logarithms, use --bulk-unit log2. If the most highly expressed genes "
            "are missing, interpret fractions with caution and do not use the unknown content.",
            condition=lambda found: found.top_share < _FLAT,
        ),
        Flag(
            name="one_type",
            meaning="nearly the whole sample is one cell type",
            remedy="This is expected for sorted cells. Otherwise the reference may lack cell types of the "
            "sample.",
            condition=lambda found: found.largest_fraction > 0.95,
            is_grave=False,
        ),
        Flag(
            name="wide_interval",
            meaning="at least one interval is too wide to be useful",
            remedy="Check whether the sum of similar cell types has a narrower interval (a hierarchy shows "
            "it), or exclude the sample.",
            condition=lambda found: found.interval_width > _MAX_WIDTH,
            is_grave=False,
        ),
        Flag(
            name="incomplete_reference",
            meaning="a large part of the sample belongs to no cell type of the reference",
            remedy="unknown_like says what it resembles, and unknown_genes lists its genes. Add the missing "
            "cell type to the reference, or use only the proportions of the known types among themselves.",
            # Of 80 samples of complete PBMC with four references and three seeds, the largest has 0.324.
            condition=lambda found: found.unknown > 0.35,
            is_grave=False,
        ),
    )
}


class QCColumn(NamedTuple):
    """A column of ``qc.tsv``: its label and meaning in the report, and its decimals there; None for text."""

    label: str
    meaning: str
    decimals: int | None = None


QC_COLUMNS = {
    "genes_used": QCColumn("genes used", "number of model genes found in the bulk table", 0),
    "gene_overlap": QCColumn("gene overlap", "fraction of model genes found in the bulk table", 3),
    "unit_detected": QCColumn("unit detected", "unit of the expression values"),
    "reconstruction_r": QCColumn(
        "reconstruction r",
        "correlation between the measured expression and its reconstruction from the fractions (maximum: 1)",
        3,
    ),
    "residual_sd": QCColumn(
        "residual SD",
        "typical deviation of a gene from its reconstruction, on a natural log scale (0.7 is a factor of "
        "two, 1.1 a factor of three)",
        3,
    ),
    "unknown": QCColumn(
        "unknown fraction", "estimated fraction of cells that belong to no cell type of the reference", 3
    ),
    "unknown_lower": QCColumn(
        "lower bound of unknown", "lower bound of the interval of the unknown fraction", 3
    ),
    "unknown_upper": QCColumn(
        "upper bound of unknown", "upper bound of the interval of the unknown fraction", 3
    ),
    "unknown_like": QCColumn("unknown cells resemble", "known profiles that the unknown cells resemble most"),
    "unknown_like_share": QCColumn("share of each", "share of the cells that each of them accounts for"),
    "unknown_genes": QCColumn(
        "unexplained genes", "genes expressed far more strongly than the fractions explain"
    ),
    "trusted_level": QCColumn(
        "finest reliable level", "most detailed level of the cell-type hierarchy whose intervals are narrow"
    ),
    "flags": QCColumn("flags", "possible problems with the sample, explained above"),
}


def quality(
    bulk: AnnData,
    *,
    cpm: NDArray[np.float64],
    expected: NDArray[np.float64],
    measured: NDArray[np.bool_],
    reference_overlap: float,
    fractions: NDArray[np.float64],
    widest: Mapping[str, NDArray[np.float64]],
    unknown: pd.DataFrame,
    noise_floor: float,
) -> pd.DataFrame:
    """Judge the result of each sample.

    Parameters
    ----------
    bulk
        The samples, over all genes of their table.
    cpm, expected
        The samples and their reconstruction S·r over the model's genes, shape (n_samples, n_genes), CPM.
    measured
        Genes of the model that the table has, shape (n_genes,).
    reference_overlap
        Share of the genes of the reference that the table has.
    fractions
        Cell fractions, shape (n_samples, n_types).
    widest
        Name of each level, the coarsest first and the cell types last → width of the widest interval of each
        sample at `JUDGED_COVERAGE`, shape (n_samples,).
    unknown
        As `unknown_table` makes it.
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
    log_ratio = floored_log(observed, noise_floor) - floored_log(modelled, noise_floor)
    centred = np.abs(log_ratio - np.median(log_ratio, axis=1, keepdims=True))
    spread = MAD_TO_SD * np.median(centred, axis=1)
    found = Evidence(
        gene_overlap=np.full(bulk.n_obs, measured.mean()),
        reference_overlap=reference_overlap,
        reconstruction_r=r,
        residual_sd=spread,
        top_share=_top_share(bulk),
        largest_fraction=fractions.max(1),
        interval_width=list(widest.values())[-1],
        unknown=unknown["unknown"].to_numpy(np.float64),
    )
    raised = {name: flag.condition(found) for name, flag in FLAGS.items()}
    judged = pd.DataFrame(
        {
            "genes_used": int(measured.sum()),
            "gene_overlap": found.gene_overlap,
            "unit_detected": bulk.uns.get(_keys.UNS, {}).get("unit", "not checked"),
            "reconstruction_r": r,
            "residual_sd": spread,
        },
        index=bulk.obs_names,
    )
    table = pd.concat([judged, unknown], axis=1)
    if len(widest) > 1:
        doubtful = raised["poor_fit"] | raised["out_of_distribution"]
        table["trusted_level"] = _trusted_level(widest, doubtful=doubtful)
    table["flags"] = [";".join(name for name in FLAGS if raised[name][i]) for i in range(bulk.n_obs)]
    return table


def is_flat(bulk: AnnData) -> NDArray[np.bool_]:
    """Return the samples in which no genes stand out: they say little of what they hold, (n_samples,)."""
    return _top_share(bulk) < _FLAT


def _trusted_level(widest: Mapping[str, NDArray[np.float64]], *, doubtful: NDArray[np.bool_]) -> list[str]:
    """Finest level at which all intervals of a sample are narrow enough to be useful; empty if none is."""
    trusted = np.full(len(doubtful), "", dtype=object)
    for level, width in widest.items():
        trusted[(width <= _MAX_WIDTH) & ~doubtful] = level
    return list(trusted)


def _top_share(bulk: AnnData) -> NDArray[np.float64]:
    """Share of each sample's total in the top 1% of its genes; 1 for a table of selected genes."""
    if bulk.n_vars < WHOLE_TRANSCRIPTOME:
        return np.ones(bulk.n_obs)
    linear = bulk.to_df().to_numpy(np.float64)
    n_top = bulk.n_vars // 100
    top = np.partition(linear, -n_top, axis=1)[:, -n_top:]
    share: NDArray[np.float64] = top.sum(1) / linear.sum(1)
    return share
