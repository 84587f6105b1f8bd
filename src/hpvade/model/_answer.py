"""What a model says of bulk samples, in the slots of AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys
from hpvade.pp import rna_fractions
from hpvade.tl import ALL_ALIKE, part_samples

if TYPE_CHECKING:
    from hpvade.pp import Profiles
    from hpvade.tl import Deconvolution

_ALL_TYPES = "all types"


def write_answer(bulk: AnnData, result: Deconvolution, *, settings: dict[str, Any]) -> None:
    """Write fractions, bounds and quality into the slots that `HPVADE.deconvolve` names."""
    bulk.obsm[_keys.FRACTIONS] = result.fractions
    bulk.obsm[_keys.LOWER], bulk.obsm[_keys.UPPER] = result.lower, result.upper
    bulk.obsm[_keys.RNA_FRACTIONS] = result.rna_fractions
    for name, level in result.levels.items():
        for side, table in level._asdict().items():
            suffix = "" if side == "fractions" else f"_{side}"
            bulk.obsm[f"{_keys.FRACTIONS}_{name}{suffix}"] = table
    bulk.obs[_keys.RECONSTRUCTION_R] = result.qc["reconstruction_r"]
    bulk.obs[_keys.UNKNOWN] = result.qc["unknown"]
    bulk.uns[_keys.UNS] = dict(bulk.uns.get(_keys.UNS, {})) | {"model": settings}


def expression_table(bulk: AnnData, fractions: pd.DataFrame, *, profiles: Profiles) -> AnnData:
    """Part bulk samples among their cell types.

    Parameters
    ----------
    bulk
        Samples × genes, linear, genes named as in ``profiles``.
    fractions
        Cell fractions of the known types, samples × cell types; rows are scaled to sum 1.
    profiles
        The reference.

    Returns
    -------
    See `HPVADE.expression`.
    """
    names = pd.Index(profiles.signature.genes)
    genes = names[names.isin(bulk.var_names)]
    linear = bulk[:, genes].to_df().to_numpy(np.float64)
    p = fractions.to_numpy(np.float64)
    p = p / p.sum(1, keepdims=True)
    parts = part_samples(linear, fractions=p, counts=profiles.counts()[names.get_indexer(genes)])
    n, n_types, n_genes = parts.contribution.shape
    rna = rna_fractions(p, profiles.signature.rna_content)
    total = linear.sum(1)[:, None]
    own = parts.contribution * (parts.varies_in == np.arange(n_types)[:, None])
    share = parts.contribution / np.maximum(linear, np.finfo(np.float64).tiny)[:, None]
    information = (own * share).sum(2) / np.maximum(parts.contribution.sum(2), np.finfo(np.float32).tiny)
    samples, types = np.repeat(bulk.obs_names, n_types), np.tile(list(fractions), n)
    obs = pd.DataFrame(
        {
            "sample": pd.Categorical(samples, categories=bulk.obs_names),
            _keys.CELL_TYPE: pd.Categorical(types, categories=list(fractions)),
            "fraction": p.ravel(),
            "rna_fraction": rna.ravel(),
            "information": information.ravel(),
        },
        index=[f"{sample}|{cell_type}" for sample, cell_type in zip(samples, types, strict=True)],
    )
    alike = parts.varies_in == ALL_ALIKE
    labels = np.where(alike, _ALL_TYPES, fractions.columns.to_numpy()[np.where(alike, 0, parts.varies_in)])
    counts = parts.contribution.reshape(n * n_types, n_genes)
    scale = 1e6 / np.maximum(rna * total, np.finfo(np.float32).tiny)
    cpm = counts * scale.ravel().astype(np.float32)[:, None]
    table = AnnData(
        cpm,
        obs=obs,
        var=pd.DataFrame({"varies_in": pd.Categorical(labels)}, index=genes),
        layers={_keys.COUNTS: counts, _keys.CPM: cpm},
    )
    table.uns[_keys.UNS] = {"unit": bulk.uns.get(_keys.UNS, {}).get("unit", "not checked")}
    return table
