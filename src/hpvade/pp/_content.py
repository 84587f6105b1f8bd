"""RNA content m: the bridge between cell fractions p and RNA fractions r."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpvade._types import Array


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
