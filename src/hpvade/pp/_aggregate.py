"""Sums of counts per cell type, by blocks of cells: the signature S and the RNA content m."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hpvade._errors import LabelError
from hpvade.pp._content import restrict_to_genes
from hpvade.pp._spaces import counts_to_cpm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Signature:
    """What one cell of each type contributes to a bulk sample.

    Attributes
    ----------
    genes
        Gene names, length n_genes.
    cell_types
        Cell types, length n_types.
    cpm
        Signature S, shape (n_genes, n_types), CPM; each column sums to 1e6.
    rna_content
        m over the same genes as S, shape (n_types,): mean counts of a cell of the type within ``genes``.
        Mixing within ``genes`` uses this one: b = S · r with r_k = p_k m_k / Σ_j p_j m_j.
    rna_content_all
        m over all genes of the reference, shape (n_types,): the RNA content behind the reported
        RNA fractions.
    """

    genes: tuple[str, ...]
    cell_types: tuple[str, ...]
    cpm: NDArray[np.float64]
    rna_content: NDArray[np.float64]
    rna_content_all: NDArray[np.float64]

    def restricted(self, genes: NDArray[np.bool_]) -> Signature:
        """Restrict to some genes, a mask of shape (n_genes,).

        Raises
        ------
        LabelError
            A type has no counts in them; it is named.
        """
        _check_counts(self.cpm[genes].sum(0), self.cell_types)
        cpm, content = restrict_to_genes(self.cpm, self.rna_content, genes=genes)
        names = tuple(gene for gene, kept in zip(self.genes, genes, strict=True) if kept)
        return Signature(names, self.cell_types, cpm, content, self.rna_content_all)


def sum_by_group(
    counts: sp.csr_matrix,
    groups: NDArray[np.integer],
    *,
    n_groups: int,
    weight: NDArray[np.floating] | None = None,
    block_size: int = 10_000,
) -> NDArray[np.float64]:
    """Sum the counts of the cells of each group.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells, n_genes).
    groups
        Group of each cell, shape (n_cells,), values 0 … n_groups-1; -1 leaves the cell out.
    n_groups
        Number of groups.
    weight
        Factor of each cell, shape (n_cells,). Default: 1.
    block_size
        Cells per block. Changes memory, never the result.

    Returns
    -------
    Sums, shape (n_groups, n_genes), counts.
    """
    factor = np.ones(counts.shape[0]) if weight is None else weight
    sums = np.zeros((n_groups, counts.shape[1]))
    for start in range(0, counts.shape[0], block_size):
        block = counts[start : start + block_size]
        codes = groups[start : start + block_size]
        kept = np.flatnonzero(codes >= 0)
        member = sp.csr_matrix(
            (factor[start + kept], (codes[kept], kept)), shape=(n_groups, block.shape[0]), dtype=np.float64
        )
        sums += (member @ block).toarray()
    return sums


def signature(
    counts: sp.csr_matrix,
    cell_type: Sequence[str],
    *,
    genes: Sequence[str],
    weight: NDArray[np.floating] | None = None,
) -> Signature:
    """Make the signature S and the RNA content m from labelled cells.

    The counts of all cells of a type are summed first and scaled once: S_gk = Σ counts / total · 1e6.
    A mean of per-cell CPM would weigh shallow cells as much as deep ones.

    Parameters
    ----------
    counts
        Raw counts, shape (n_cells, n_genes).
    cell_type
        Label of each cell, length n_cells.
    genes
        Gene names, length n_genes.
    weight
        Factor of each cell in the mean of its type, shape (n_cells,). Default: 1.

    Raises
    ------
    LabelError
        A type has no counts at all; it is named.
    """
    labels = pd.Categorical(np.asarray(cell_type))
    cell_types = tuple(str(t) for t in labels.categories)
    codes = np.asarray(labels.codes)
    sums = sum_by_group(counts, codes, n_groups=len(cell_types), weight=weight)
    n_cells = np.bincount(codes[codes >= 0], minlength=len(cell_types))
    return signature_of_sums(sums, n_cells, genes=genes, cell_types=cell_types)


def signature_of_sums(
    sums: NDArray[np.float64],
    n_cells: NDArray[np.integer],
    *,
    genes: Sequence[str],
    cell_types: Sequence[str],
) -> Signature:
    """Make S and m from the summed counts of each type, shape (n_types, n_genes), and its number of cells.

    Raises
    ------
    LabelError
        A type has no counts at all; it is named.
    """
    totals = sums.sum(1)
    _check_counts(totals, cell_types)
    content = totals / n_cells
    return Signature(
        genes=tuple(map(str, genes)),
        cell_types=tuple(cell_types),
        cpm=counts_to_cpm(sums).T,
        rna_content=content,
        rna_content_all=content,
    )


def _check_counts(totals: NDArray[np.floating], cell_types: Sequence[str]) -> None:
    empty = [t for t, total in zip(cell_types, totals, strict=True) if total == 0]
    if empty:
        msg = (
            f"No counts in the chosen genes for cell type(s) {', '.join(map(repr, empty))}. "
            "Leave these types out of the reference, or raise the number of genes (--n-genes)."
        )
        raise LabelError(msg)
