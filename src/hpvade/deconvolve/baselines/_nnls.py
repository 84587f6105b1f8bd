"""Weighted non-negative least squares on the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from hpvade.deconvolve.baselines._input import BaselineFractions, check_input, with_cell_fractions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def weighted_nnls(
    bulk_cpm: ArrayLike, signature_cpm: ArrayLike, *, rna_content: ArrayLike, floor: float = 1.0
) -> BaselineFractions:
    """Fit each sample by a non-negative combination of signature columns.

    Minimises Σ_g w_g (b_g - Σ_k S_gk β_k)² over β ≥ 0 for each sample b. The weight is
    w_g = 1 / (mean over types of S_g + floor), the inverse of a variance that grows with the mean as a
    Poisson variance does; without it a few abundant genes decide alone. β, scaled to sum 1, is the RNA
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
        CPM added to the mean of a gene, so that genes near zero do not get all the weight.

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
    given = check_input(bulk_cpm, signature_cpm, rna_content)
    root_weight = np.sqrt(1 / (given.signature.mean(1) + floor))
    design = given.signature * root_weight[:, None] / 1e6  # columns and samples both as shares of RNA
    contributions = np.stack([nnls(design, sample * root_weight)[0] for sample in given.bulk])
    return with_cell_fractions(contributions, given.rna_content)
