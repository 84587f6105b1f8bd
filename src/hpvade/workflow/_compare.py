"""Our fractions beside the baselines, where the truth is known."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade._warnings import DegenerateMetricWarning
from hpvade.metrics import evaluate
from hpvade.pp import counts_to_cpm
from hpvade.tl.baselines import METHODS, mean_fractions, mixture_em, weighted_nnls

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.pp import Signature


def compare_with_baselines(
    fractions: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    bulk: AnnData,
    signature: Signature,
    training_fractions: NDArray[np.floating],
) -> pd.DataFrame:
    """Score fractions and every baseline on the same samples.

    Parameters
    ----------
    fractions
        Our estimate, samples × cell types.
    truth
        True cell fractions, samples × cell types.
    bulk
        The same samples × genes, linear expression.
    signature
        The data's S and m, for the baselines.
    training_fractions
        Fractions of the training mixtures, shape (n_mixtures, n_types), for the mean predictor.

    Returns
    -------
    Methods × `r_type`, `ccc_type`, `r`, `ccc`, `rmse`.
    """
    genes = pd.Index(signature.genes)
    measured = genes.isin(bulk.var_names)
    cpm = counts_to_cpm(np.asarray(bulk[:, genes[measured]].X, dtype=np.float64))
    profile = signature.cpm[measured]
    content = signature.rna_content * profile.sum(0) / signature.cpm.sum(0)
    profile = profile / profile.sum(0) * 1e6
    estimates = {
        "HP-VADE": fractions.to_numpy(),
        METHODS["nnls"].name: weighted_nnls(cpm, profile, rna_content=content).fractions,
        METHODS["em"].name: mixture_em(cpm, profile, rna_content=content).fractions,
        METHODS["mean"].name: mean_fractions(training_fractions, len(cpm)),
    }
    rows = {}
    for name, values in estimates.items():
        table = pd.DataFrame(values, index=bulk.obs_names, columns=list(signature.cell_types))
        with warnings.catch_warnings():
            # The mean predictor has no correlation by nature; the table shows NaN.
            warnings.simplefilter("ignore", DegenerateMetricWarning)
            result = evaluate(table, truth, n_bootstrap=0)
        rows[name] = {key: result.summary[key] for key in ("r_type", "ccc_type")} | {
            key: result.pooled[key] for key in ("r", "ccc", "rmse")
        }
    return pd.DataFrame(rows).T
