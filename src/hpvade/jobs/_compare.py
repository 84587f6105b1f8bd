"""Baselines on a bulk table, and their accuracy beside that of HP-VADE where the truth is known."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import InputError, suggest
from hpvade._warnings import DegenerateMetricWarning
from hpvade.deconvolve.baselines import METHODS, BaselineData
from hpvade.metrics import evaluate
from hpvade.pp import bulk_expression, counts_to_cpm, restrict_to_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from hpvade.model import HPVADE


def baseline_fractions(
    model: HPVADE, bulk: AnnData, *, methods: Sequence[str] = ("nnls", "em", "mean")
) -> dict[str, pd.DataFrame]:
    """Estimate fractions by baselines, with the S and m of a model's reference.

    Parameters
    ----------
    model
        A model; for the mean predictor one that was trained in this process, because it needs the training
        fractions.
    bulk
        Samples × genes, linear expression, genes named as the model names them.
    methods
        Keys of `hpvade.deconvolve.baselines.METHODS`. Nu-SVR is left out by default, because it takes up to
        a second per sample.

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
    linear = bulk_expression(  # baselines get the same input as the model
        bulk, genes[measured], subtract_background=model.config.deconvolve.subtract_background
    )
    signature_cpm, content = restrict_to_genes(signature.cpm, signature.rna_content, genes=measured)
    data = BaselineData(counts_to_cpm(linear), signature_cpm, content, model.training_fractions)
    return {
        METHODS[key].name: pd.DataFrame(
            METHODS[key].fractions(data), index=bulk.obs_names, columns=model.cell_types
        )
        for key in methods
    }


def compare_with_baselines(
    fractions: pd.DataFrame, truth: pd.DataFrame, *, model: HPVADE, bulk: AnnData
) -> pd.DataFrame:
    """Score the fractions of HP-VADE and of every baseline on the same samples.

    Parameters
    ----------
    fractions
        Estimate of HP-VADE, samples × cell types.
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
            # The mean predictor is constant and has no correlation; the table shows NaN.
            warnings.simplefilter("ignore", DegenerateMetricWarning)
            result = evaluate(table, truth, n_bootstrap=0)
        rows[name] = {key: result.summary[key] for key in ("r_type", "ccc_type")} | {
            key: result.pooled[key] for key in ("r", "ccc", "rmse")
        }
    return pd.DataFrame(rows).T
