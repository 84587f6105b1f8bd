"""The baselines on a bulk table, and our fractions beside them where the truth is known."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import InputError, suggest
from hpvade._warnings import DegenerateMetricWarning
from hpvade.deconvolve.baselines import METHODS, mean_fractions, mixture_em, nu_svr, weighted_nnls
from hpvade.metrics import evaluate
from hpvade.pp import counts_to_cpm, bulk_expression, restrict_to_genes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anndata import AnnData

    from hpvade.deconvolve.baselines import BaselineFractions
    from hpvade.model import HPVADE

_ON_SIGNATURE: Mapping[str, Callable[..., BaselineFractions]] = {
    "nnls": weighted_nnls,
    "em": mixture_em,
    "svr": nu_svr,
}


def baseline_fractions(
    model: HPVADE, bulk: AnnData, *, methods: Sequence[str] = ("nnls", "em", "mean")
) -> dict[str, pd.DataFrame]:
    """Let baselines answer with the data's S and m of a model.

    Parameters
    ----------
    model
        A model; for the mean predictor one that was trained in this process, because it needs the training
        fractions.
    bulk
        Samples × genes, linear expression, genes named as the model names them.
    methods
        Keys of `hpvade.deconvolve.baselines.METHODS`. Nu-SVR is left out unless asked for: it takes up to a second
        for each sample.

    Returns
    -------
    Name of the method → cell fractions, samples × cell types.

    Raises
    ------
    InputError
        There is no such method.
    """
    for key in methods:
        if key not in METHODS:
            msg = f"There is no baseline '{key}'. Baselines: {', '.join(METHODS)}.{suggest(key, METHODS)}"
            raise InputError(msg)
    signature = model.reference_signature.model_genes
    genes = pd.Index(signature.genes)
    measured = genes.isin(bulk.var_names)
    linear = bulk_expression(  # what helps the model helps them too
        bulk, genes[measured], subtract_background=model.config.deconvolve.subtract_background
    )
    signature_cpm, content = restrict_to_genes(signature.cpm, signature.rna_content, genes=measured)
    inputs = (counts_to_cpm(linear), signature_cpm)
    values = {
        key: mean_fractions(model.training_fractions, bulk.n_obs)
        if key == "mean"
        else _ON_SIGNATURE[key](*inputs, rna_content=content).fractions
        for key in methods
    }
    return {
        METHODS[key].name: pd.DataFrame(fractions, index=bulk.obs_names, columns=model.cell_types)
        for key, fractions in values.items()
    }


def compare_with_baselines(
    fractions: pd.DataFrame, truth: pd.DataFrame, *, model: HPVADE, bulk: AnnData
) -> pd.DataFrame:
    """Score our fractions and every baseline's on the same samples.

    Parameters
    ----------
    fractions
        Our estimate, samples × cell types.
    truth
        True cell fractions, samples × cell types.
    model, bulk
        As for `baseline_fractions`.

    Returns
    -------
    Methods × `r_type`, `ccc_type`, `r`, `ccc`, `rmse`.
    """
    rows = {}
    for name, table in ({"HP-VADE": fractions} | baseline_fractions(model, bulk)).items():
        with warnings.catch_warnings():
            # The mean predictor has no correlation by nature; the table shows NaN.
            warnings.simplefilter("ignore", DegenerateMetricWarning)
            result = evaluate(table, truth, n_bootstrap=0)
        rows[name] = {key: result.summary[key] for key in ("r_type", "ccc_type")} | {
            key: result.pooled[key] for key in ("r", "ccc", "rmse")
        }
    return pd.DataFrame(rows).T
