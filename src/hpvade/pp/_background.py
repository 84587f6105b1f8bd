"""The level that a platform reports for genes that are not expressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

_UNEXPRESSED = 0.1  # in any tissue, at least this share of the genes of a whole transcriptome is silent
WHOLE_TRANSCRIPTOME = 5_000  # a smaller table is a selection of genes, which may include no silent ones


def background(expression: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the background of each sample: the 10% quantile over genes, 0 with fewer than 5,000 genes.

    The background is near zero for sequencing. Arrays report unspecific binding for genes without expression,
    up to two thirds of the mean intensity, which makes all samples look alike unless it is subtracted.

    Parameters
    ----------
    expression
        Samples × **all** genes of a bulk table, shape (n_samples, n_genes), linear.

    Returns
    -------
    Background, shape (n_samples, 1), in the unit of ``expression``.
    """
    if expression.shape[1] < WHOLE_TRANSCRIPTOME:
        return np.zeros((len(expression), 1))
    return np.quantile(np.asarray(expression, dtype=np.float64), _UNEXPRESSED, axis=1, keepdims=True)


def bulk_expression(bulk: AnnData, genes: pd.Index, *, subtract_background: bool) -> NDArray[np.float64]:
    """Return the expression of selected genes of a bulk table, optionally above the background of the table.

    Parameters
    ----------
    bulk
        Samples × all genes of the table, linear.
    genes
        The genes to return, names of the table.
    subtract_background
        Whether to subtract each sample's `background`; negative results become 0.

    Returns
    -------
    Samples × ``genes``, in the unit of ``bulk``.
    """
    linear = bulk[:, genes].to_df().to_numpy(np.float64)
    if subtract_background:
        linear = np.maximum(linear - background(bulk.to_df().to_numpy()), 0)
    return linear
