"""RNA content m: the bridge between cell fractions p and RNA fractions r."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade.pp._spaces import CPM_TOTAL, counts_to_cpm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade._types import Array


_LARGEST_STRETCH = 2.0


def rna_fractions(fractions: Array, rna_content: Array) -> Array:
    """Turn cell fractions into RNA fractions: r_k = p_k m_k / Σ_j p_j m_j.

    Parameters
    ----------
    fractions
        Cell fractions p, shape (..., n_types), each row sums to 1.
    rna_content
        Mean counts m of one cell of each type, shape (n_types,), over the genes that r refers to.

    Returns
    -------
    RNA fractions r, same shape; each row sums to 1.
    """
    weighted = fractions * rna_content
    return weighted / weighted.sum(-1)[..., None]


def cell_fractions(rna_fractions: Array, rna_content: Array) -> Array:
    """Turn RNA fractions into cell fractions: p_k = (r_k / m_k) / Σ_j (r_j / m_j).

    The inverse of `rna_fractions`; shapes as there.
    """
    weighted = rna_fractions / rna_content
    return weighted / weighted.sum(-1)[..., None]


def restrict_to_genes(signature_cpm: Array, rna_content: Array, *, genes: Array) -> tuple[Array, Array]:
    """Restrict S and m to some of their genes, so that b = S · r holds within these.

    Parameters
    ----------
    signature_cpm
        Signature S, shape (n_genes, n_types), CPM; each column sums to 1e6.
    rna_content
        m over the same genes, shape (n_types,).
    genes
        Mask, shape (n_genes,).

    Returns
    -------
    S over the genes of the mask, columns sum to 1e6 again, and m: the counts of a cell that lie in them.
    """
    part = signature_cpm[genes]
    return counts_to_cpm(part.T).T, rna_content * part.sum(0) / CPM_TOTAL


def consensus_rna_content(content: NDArray[np.float64]) -> NDArray[np.float64]:
    """One RNA content from those of several references.

    Whatever disturbs the measurement, namely saturated libraries, filters on counts, types sorted into
    libraries of their own, pulls the types together. So the consensus has the mean pattern d over references
    (of centred log m) and the strength with which the clearest reference shows it:
    log m_k = c + s · d_k, with s the largest slope of a reference's centred log m on d, 2 at most (the mean
    slope is 1): references that contradict each other have a weak pattern, which must not be blown up.

    Parameters
    ----------
    content
        Mean counts of one cell over the same genes, shape (n_references, n_types). NaN where a reference
        lacks the type; means, and slopes, are then taken over the types that all references have.

    Returns
    -------
    Consensus, shape (n_types,); over those types its geometric mean is that of ``content``.
    """
    log = np.log(content)
    common = np.isfinite(log).all(0)
    level = log[:, common].mean(1, keepdims=True)
    centred = log - level
    pattern = np.nanmean(centred, axis=0)
    strength = pattern[common] @ pattern[common]
    stretch = (centred[:, common] @ pattern[common]).max() / strength if strength > 0 else 1.0
    stretch = min(stretch, _LARGEST_STRETCH)
    return np.asarray(np.exp(level.mean() + stretch * pattern), dtype=np.float64)
