"""Maximum likelihood of the signature mixture, by expectation-maximisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._warnings import DataWarning, warn
from hpvade.deconvolve.baselines._input import BaselineFractions, check_input, with_cell_fractions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def mixture_em(
    bulk_cpm: ArrayLike,
    signature_cpm: ArrayLike,
    *,
    rna_content: ArrayLike,
    tolerance: float = 1e-7,
    max_iterations: int = 10_000,
) -> BaselineFractions:
    """Explain each sample as draws of transcripts from the signature's cell types.

    Maximises Σ_g b_g log Σ_k θ_k φ_gk over fractions θ, where φ is S with columns scaled to sum 1, by the
    EM update θ_k ← θ_k Σ_g (b_g / Σ b) φ_gk / Σ_j φ_gj θ_j from uniform θ. θ is the RNA fraction r; the
    cell fraction is p_k ∝ r_k / m_k. Each sample stops on its own, so its neighbours do not matter.

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
        A sample is done when no θ_k changes by more than this in one update.
    max_iterations
        Updates at most; a `DataWarning` says how many samples were still moving. Two real data sets took
        fewer than 1,000.

    Returns
    -------
    Cell fractions and RNA fractions, shape (n_samples, n_types), rows sum to 1.

    Raises
    ------
    InputError
        Shapes, signs or units are wrong, or a sample has no expression in the genes of S.

    References
    ----------
    The fixed point that InstaPrism computes for BayesPrism's model: Hu & Chikina (2024), Bioinformatics
    40:btae440; Chu et al. (2022), Nat Cancer 3:505-517. The update itself: Dempster, Laird & Rubin
    (1977), J R Stat Soc B 39:1-38.
    """
    given = check_input(bulk_cpm, signature_cpm, rna_content)
    profiles = given.signature / given.signature.sum(0)
    n_types = profiles.shape[1]
    theta = np.full((len(given.bulk), n_types), 1 / n_types)
    moving = np.arange(len(theta))
    for _ in range(max_iterations):
        if not moving.size:
            break
        updated = em_update(theta[moving], bulk_shares=given.bulk[moving], profiles=profiles)
        change = np.abs(updated - theta[moving]).max(1)
        theta[moving] = updated
        moving = moving[change > tolerance]
    if moving.size:
        warn(
            f"mixture_em: {moving.size} of {len(theta)} samples still changed by more than {tolerance:g} "
            f"after {max_iterations} updates; raise max_iterations for the last digits.",
            DataWarning,
        )
    return with_cell_fractions(theta, given.rna_content)


def em_update(
    theta: NDArray[np.float64], *, bulk_shares: NDArray[np.float64], profiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One EM update of θ.

    Parameters
    ----------
    theta
        RNA fractions, shape (n_samples, n_types), rows sum to 1.
    bulk_shares
        Samples, shape (n_samples, n_genes), rows sum to 1.
    profiles
        φ, shape (n_genes, n_types), columns sum to 1.
    """
    expected = theta @ profiles.T
    ratio = np.divide(bulk_shares, expected, out=np.zeros_like(expected), where=expected > 0)
    return np.asarray(theta * (ratio @ profiles))
