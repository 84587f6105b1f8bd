"""nu-support-vector regression on the signature, in the manner of CIBERSORT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._warnings import DataWarning, warn
from hpvade.deconvolve.baselines._input import BaselineFractions, check_input, with_cell_fractions
from hpvade.deconvolve.baselines._method import Method

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NUS = (0.25, 0.5, 0.75)


def nu_svr(
    bulk_cpm: ArrayLike, signature_cpm: ArrayLike, *, rna_content: ArrayLike, tolerance: float = 1e-4
) -> BaselineFractions:
    """Regress each sample on the signature by linear nu-SVR, the best of three nu.

    S is standardised as one table, and each sample separately. For each nu in {0.25, 0.5, 0.75} (C = 1) the
    negative coefficients are set to 0 and the others scaled to sum 1. The nu whose coefficients reconstruct
    the standardised sample with the lowest RMSE is used. They are the RNA fraction r; the cell fraction is
    p_k ∝ r_k / m_k.

    If no nu gives a positive coefficient, the fit is not informative: the types get equal RNA fractions, and
    a `DataWarning` reports how many samples are affected and which is the first.

    Parameters
    ----------
    bulk_cpm
        Bulk samples, shape (n_samples, n_genes), CPM, linear.
    signature_cpm
        Signature S, shape (n_genes, n_types), CPM; each column sums to 1e6. Genes that are zero in all
        types are ignored.
    rna_content
        Mean counts m of one cell of each type over the same genes, shape (n_types,).
    tolerance
        Stopping tolerance of libsvm. Its default of 1e-3 leaves errors of a few hundredths with real
        signatures, because most genes are close to zero once S is standardised. With 1,500 genes a sample
        takes up to a second.

    Returns
    -------
    Cell fractions and RNA fractions, shape (n_samples, n_types), rows sum to 1.

    Raises
    ------
    InputError
        Shapes, signs or units are wrong, or a sample has no expression in the genes of S.

    References
    ----------
    Newman et al. (2015), CIBERSORT, Nat Methods 12:453-457, doi:10.1038/nmeth.3337, without its quantile
    normalisation and permutation test. The regression: Schölkopf et al. (2000), Neural Comput
    12:1207-1245.
    """
    checked = check_input(bulk_cpm, signature_cpm, rna_content)
    design = _standardised(checked.signature)
    answers = [_best_shares(design, _standardised(sample), tolerance=tolerance) for sample in checked.bulk]
    lost = [i for i, shares in enumerate(answers) if shares is None]
    if lost:
        warn(
            f"nu_svr: {len(lost)} of {len(answers)} samples (the first is number {lost[0]}) have no positive "
            "coefficient. Their RNA fractions are equal for all types and are not informative.",
            DataWarning,
        )
    equal = np.ones(design.shape[1])
    return with_cell_fractions(
        np.stack([equal if shares is None else shares for shares in answers]), checked.rna_content
    )


def _best_shares(
    design: NDArray[np.float64], sample: NDArray[np.float64], *, tolerance: float
) -> NDArray[np.float64] | None:
    """Shares of the types, (n_types,), for the nu that reconstructs the sample best; None without one."""
    from sklearn.svm import NuSVR  # noqa: PLC0415 - takes half a second; only this baseline needs it

    best, lowest = None, np.inf
    for nu in NUS:
        fitted = NuSVR(kernel="linear", nu=nu, C=1.0, tol=tolerance).fit(design, sample)
        positive = np.maximum(fitted.coef_[0], 0)
        if not positive.any():
            continue
        shares = positive / positive.sum()
        error = float(np.sqrt(((design @ shares - sample) ** 2).mean()))
        if error < lowest:
            best, lowest = shares, error
    return best


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean of all values and divide by their standard deviation; constants become 0."""
    centred = values - values.mean()
    deviation = values.std()
    return np.asarray(centred / deviation if deviation > 0 else np.zeros_like(values))


METHOD = Method(
    key="svr",
    name="nu-SVR",
    description="Linear support vector regression on the standardised signature, best of three nu.",
    reference="Newman et al. 2015 (CIBERSORT), doi:10.1038/nmeth.3337",
    fractions=lambda data: nu_svr(data.bulk_cpm, data.signature_cpm, rna_content=data.rna_content).fractions,
)
