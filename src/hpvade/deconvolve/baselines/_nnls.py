"""Weighted non-negative least squares on the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from hpvade.deconvolve.baselines._input import BaselineFractions, check_input, with_cell_fractions
from hpvade.deconvolve.baselines._method import Method

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def weighted_nnls(
    bulk_cpm: ArrayLike, signature_cpm: ArrayLike, *, rna_content: ArrayLike, floor: float = 1.0
) -> BaselineFractions:
    """Fit each sample by a non-negative combination of signature columns.

    Minimises Σ_g w_g (b_g - Σ_k S_gk β_k)² over β ≥ 0 for each sample b. The weight is
    w_g = 1 / (mean over types of S_g + floor), the inverse of a variance that grows with the mean as a
    Poisson variance does; without it a few abundant genes would dominate. β, scaled to sum 1, is the RNA
    fraction r; the cell fraction is p_k ∝ r_k / m_k.

    Parameters
    ----------
    bulk_cpm
        Bulk samples, shape (n_samples, n_genes), CPM, linear.
    signature_cpm
        Signature S, shape (n_genes, n_types), CPM; each column sums to 1e6.
    rna_content
        Mean counts m of one cell of each type over the same genes, shape (n_types,).
    floor
        CPM added to the mean of a gene, so that genes near zero do not dominate.

    Returns
    -------
    Cell fractions and RNA fractions, shape (n_samples, n_types), rows sum to 1.

    Raises
    ------
    InputError
        Shapes, signs or units are wrong, or a sample has no expression in the genes of S.

    References
    ----------
    Weighted least squares for deconvolution: Wang et al. (2019), MuSiC, Nat Commun 10:380; Tsoucas et
    al. (2019), DWLS, Nat Commun 10:2975. Both iterate the weights; here they are fixed by S.
    """
    checked = check_input(bulk_cpm, signature_cpm, rna_content)
    root_weight = np.sqrt(1 / (checked.signature.mean(1) + floor))
    design = checked.signature * root_weight[:, None] / 1e6  # columns and samples both as shares of RNA
    contributions = np.stack([nnls(design, sample * root_weight)[0] for sample in checked.bulk])
    return with_cell_fractions(contributions, checked.rna_content)


METHOD = Method(
    key="nnls",
    name="weighted NNLS",
    description="Non-negative least squares on the signature, genes weighted by inverse expression.",
    reference="Wang et al. 2019 (MuSiC), doi:10.1038/s41467-018-08023-x; "
    "Tsoucas et al. 2019 (DWLS), doi:10.1038/s41467-019-10802-z",
    fractions=lambda data: (
        weighted_nnls(data.bulk_cpm, data.signature_cpm, rna_content=data.rna_content).fractions
    ),
)
