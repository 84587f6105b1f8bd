"""Checked input and the result of baselines that use a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hpvade._errors import InputError
from hpvade.pp import cell_fractions
from hpvade.pp._spaces import CPM_TOTAL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class BaselineFractions(NamedTuple):
    """Cell fractions and RNA fractions, each of shape (n_samples, n_types), rows sum to 1."""

    fractions: NDArray[np.float64]
    rna_fractions: NDArray[np.float64]


class BaselineInput(NamedTuple):
    """Checked input: genes that at least one type expresses, samples scaled to sum 1 over them."""

    bulk: NDArray[np.float64]  # (n_samples, n_genes), shares of RNA
    signature: NDArray[np.float64]  # (n_genes, n_types), CPM
    rna_content: NDArray[np.float64]  # (n_types,), counts per cell


def check_input(bulk_cpm: ArrayLike, signature_cpm: ArrayLike, rna_content: ArrayLike) -> BaselineInput:
    """Check shapes, signs and units, and drop genes that no type expresses.

    Parameters
    ----------
    bulk_cpm
        Bulk samples, shape (n_samples, n_genes), linear; the scale of a sample does not matter.
    signature_cpm
        Signature S, shape (n_genes, n_types), CPM; each column sums to 1e6.
    rna_content
        Mean counts of one cell of each type over the same genes, shape (n_types,).

    Raises
    ------
    InputError
        Shapes do not match, values are negative or not finite, a column of S does not sum to 1e6, an RNA
        content is not positive, or a sample has no expression in the genes of S.
    """
    bulk, signature, content = (
        np.asarray(values, dtype=np.float64) for values in (bulk_cpm, signature_cpm, rna_content)
    )
    _check_shapes(bulk, signature, content)
    for name, values in (("bulk_cpm", bulk), ("signature_cpm", signature), ("rna_content", content)):
        if not np.isfinite(values).all() or (values < 0).any():
            msg = f"{name} has negative, NaN or infinite values. Pass linear CPM (counts for rna_content)."
            raise InputError(msg)
    sums = signature.sum(0)
    if (off := np.abs(sums - CPM_TOTAL) > 1e-3 * CPM_TOTAL).any():
        k = int(np.argmax(off))
        msg = f"Column {k} of signature_cpm sums to {sums[k]:.6g}. A signature in CPM sums to 1e6 per type."
        raise InputError(msg)
    if not content.all():
        msg = f"rna_content of type {int(np.argmin(content))} is 0. Every type needs a positive mean count."
        raise InputError(msg)
    expressed = signature.any(1)
    bulk = bulk[:, expressed]
    totals = bulk.sum(1)
    if not totals.all():
        msg = f"Sample {int(np.argmin(totals))} has no expression in the genes of the signature."
        raise InputError(msg)
    return BaselineInput(bulk / totals[:, None], signature[expressed], content)


def with_cell_fractions(
    contributions: NDArray[np.float64], rna_content: NDArray[np.float64]
) -> BaselineFractions:
    """Scale the RNA of each type, (n_samples, n_types), to RNA fractions r, and add p ∝ r / m."""
    rna = contributions / contributions.sum(1, keepdims=True)
    return BaselineFractions(np.asarray(cell_fractions(rna, rna_content), dtype=np.float64), rna)


def _check_shapes(
    bulk: NDArray[np.float64], signature: NDArray[np.float64], content: NDArray[np.float64]
) -> None:
    """Check that samples × genes, genes × types and types match."""
    fits = bulk.ndim == signature.ndim == 2 and bulk.shape[1] == signature.shape[0]
    if not fits or content.shape != signature.shape[1:] or not signature.size:
        msg = (
            "Shapes do not match: bulk_cpm (n_samples, n_genes), signature_cpm (n_genes, n_types), "
            f"rna_content (n_types,), but got {bulk.shape}, {signature.shape}, {content.shape}."
        )
        raise InputError(msg)
