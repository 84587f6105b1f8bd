"""What a model says of bulk samples, in the slots of AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.deconvolve import ALL_ALIKE, split_by_cell_type
from hpvade.pp import counts_to_cpm, rna_fractions
from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from hpvade.deconvolve import Deconvolution
    from hpvade.pp import ReferenceSignature


def write_answer(bulk: AnnData, result: Deconvolution, *, settings: dict[str, Any]) -> None:
    """Write fractions, bounds and quality into the slots that `HPVADE.deconvolve` names."""
    told = dict(bulk.uns.get(_keys.UNS, {}))
    for slot in told.get("slots_of_levels", []):  # of another model, perhaps, with other levels
        bulk.obsm.pop(slot, None)
    bulk.obsm[_keys.FRACTIONS] = result.fractions
    bulk.obsm[_keys.LOWER], bulk.obsm[_keys.UPPER] = result.lower, result.upper
    bulk.obsm[_keys.RNA_FRACTIONS] = result.rna_fractions
    of_levels = {
        f"{_keys.FRACTIONS}_{name}" + ("" if side == "fractions" else f"_{side}"): table
        for name, level in result.levels.items()
        for side, table in level._asdict().items()
    }
    for slot, table in of_levels.items():
        bulk.obsm[slot] = table
    bulk.obs[_keys.RECONSTRUCTION_R] = result.qc["reconstruction_r"]
    bulk.obs[_keys.UNKNOWN] = result.qc["unknown"]
    bulk.uns[_keys.UNS] = told | {"model": settings, "slots_of_levels": list(of_levels)}


def expression_table(bulk: AnnData, fractions: pd.DataFrame, *, signature: ReferenceSignature) -> AnnData:
    """Part bulk samples among their cell types.

    Parameters
    ----------
    bulk
        Samples × genes, linear, genes named as in ``signature``.
    fractions
        Cell fractions, samples × cell types; those of the known types are scaled to sum 1.
    signature
        The reference.

    Returns
    -------
    See `HPVADE.expression`.

    Raises
    ------
    InputError
        The fractions lack a sample or a cell type.
    """
    names = pd.Index(signature.all_genes.genes)
    genes = names[names.isin(bulk.var_names)]
    linear = bulk[:, genes].to_df().to_numpy(np.float64)
    missing = sorted(set(bulk.obs_names) - set(fractions.index)) + sorted(
        set(signature.all_genes.cell_types) - set(fractions)
    )
    if missing:
        msg = f"The fractions lack '{missing[0]}'. Give all samples and cell types."
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
    cpm[absent] = counts_to_cpm(counts.T)[absent[1]]  # all there is to say of a type that is not there
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
    alike = parts.varies_in == ALL_ALIKE
    named = np.array(signature.all_genes.cell_types)[np.where(alike, 0, parts.varies_in)]
    table = AnnData(
        obs=obs,
        var=pd.DataFrame({"varies_in": pd.Categorical(np.where(alike, _keys.ALL_TYPES, named))}, index=genes),
        layers={
            _keys.COUNTS: parts.contribution.reshape(-1, n_genes),
            _keys.CPM: cpm.astype(np.float32, copy=False).reshape(-1, n_genes),
        },
    )
    table.uns[_keys.UNS] = {"unit": bulk.uns.get(_keys.UNS, {}).get("unit", "not checked")}
    return table
