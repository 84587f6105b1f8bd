"""The signature: S and m of each cell type, over all genes of the reference and over those of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpvade import _keys
from hpvade._errors import LabelError
from hpvade.pp._genes import model_genes
from hpvade.pp._pool import label_sums, sum_by_group
from hpvade.pp._spaces import CPM_TOTAL, counts_to_cpm

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade._types import Array

_CONTENT_SD = 0.35  # of log m from one reference about the value that holds in bulk samples


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
        m over the same genes as S, shape (n_types,): mean counts of a cell of the type within ``genes``, as
        needed to mix within ``genes``: b = S · r with r_k = p_k m_k / Σ_j p_j m_j.
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
        """Restrict to the genes of a mask, shape (n_genes,).

        Raises
        ------
        LabelError
            A type has no counts in these genes; the message names it.
        """
        _check_counts(self.cpm[genes].sum(0), self.cell_types)
        cpm, content = restrict_to_genes(self.cpm, self.rna_content, genes=genes)
        names = tuple(gene for gene, kept in zip(self.genes, genes, strict=True) if kept)
        return Signature(names, self.cell_types, cpm, content, self.rna_content_all)


@dataclass(frozen=True)
class ReferenceSignature:
    """S and m over all genes, and which genes the model reads.

    Attributes
    ----------
    all_genes
        Over all genes of the reference.
    selected
        The model's genes, shape (n_genes,).
    content_sd
        Standard deviation of each type's log m about its value in bulk samples, shape (n_types,).
    n_references
        Number of references behind S and m.
    """

    all_genes: Signature
    selected: NDArray[np.bool_]
    content_sd: NDArray[np.float64]
    n_references: int = 1

    @cached_property
    def model_genes(self) -> Signature:
        """S and m over the model's genes."""
        return self.all_genes.restricted(self.selected)

    def with_content(
        self, content: NDArray[np.float64], content_sd: NDArray[np.float64]
    ) -> ReferenceSignature:
        """Replace m over all genes, and the standard deviation of its logarithm; shape (n_types,) each."""
        signature = replace(self.all_genes, rna_content=content, rna_content_all=content)
        return replace(self, all_genes=signature, content_sd=content_sd)

    def cell_counts(self) -> NDArray[np.float64]:
        """Mean counts of one cell of each type, shape (n_genes, n_types)."""
        return self.all_genes.cpm * self.all_genes.rna_content / CPM_TOTAL


def restrict_to_genes(signature_cpm: Array, rna_content: Array, *, genes: Array) -> tuple[Array, Array]:
    """Restrict S and m to a subset of their genes, so that b = S · r holds within it.

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


def signature(
    counts: sp.csr_matrix,
    cell_type: Sequence[str],
    *,
    genes: Sequence[str],
    weight: NDArray[np.floating] | None = None,
) -> Signature:
    """Compute the signature S and the RNA content m from labelled cells.

    The counts of all cells of a type are summed first and scaled once: S_gk = Σ counts / total · 1e6.
    A mean of per-cell CPM would give shallow cells the same weight as deep ones.

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
        A type has no counts; the message names it.
    """
    labels = pd.Categorical(np.asarray(cell_type))
    cell_types = tuple(str(name) for name in labels.categories)
    codes = np.asarray(labels.codes)
    sums = sum_by_group(counts, codes, n_groups=len(cell_types), weight=weight)
    n_cells = np.bincount(codes[codes >= 0], minlength=len(cell_types))
    return _signature_from_sums(sums, n_cells, genes=genes, cell_types=cell_types)


def _signature_from_sums(
    sums: NDArray[np.float64],
    n_cells: NDArray[np.integer],
    *,
    genes: Sequence[str],
    cell_types: Sequence[str],
) -> Signature:
    """Compute S and m from the summed counts of each type, shape (n_types, n_genes), and its cells."""
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


def reference_signature(prepared: AnnData) -> ReferenceSignature:
    """Compute S and m of all genes from a prepared reference; a pool uses the sums over all of its cells.

    With several references, each has the same weight in every type, regardless of its number of cells. The
    standard deviation of log m falls with the square root of their number.
    """
    selected = model_genes(prepared).var_names
    labels_key = prepared.uns[_keys.UNS]["labels_key"]
    genes = list(prepared.var_names)
    weight = _cell_weight(prepared.obs, labels_key=labels_key)
    labels = prepared.obs[labels_key]
    if (pooled := label_sums(prepared)) is None:
        whole = signature(prepared.layers[_keys.COUNTS], labels, genes=genes, weight=weight)
    else:
        cell_types = [str(name) for name in pooled.counts]
        type_weight = pd.Series(weight).groupby(labels.astype(str).to_numpy()).first()[cell_types].to_numpy()
        summed = pooled.counts.to_numpy().T * type_weight[:, None]
        whole = _signature_from_sums(summed, pooled.n_cells.to_numpy(), genes=genes, cell_types=cell_types)
    chosen = prepared.var_names.isin(selected)
    n_references = prepared.obs[_keys.REFERENCE].nunique() if _keys.REFERENCE in prepared.obs else 1
    content_sd = np.full(len(whole.cell_types), _CONTENT_SD / np.sqrt(n_references))
    return ReferenceSignature(whole, chosen, content_sd, n_references)


def _cell_weight(obs: pd.DataFrame, *, labels_key: str) -> NDArray[np.float64]:
    """Weight of each cell: sets the RNA content of its type, and balances the references within a type."""
    weight = obs[_keys.RNA_WEIGHT].to_numpy(np.float64) if _keys.RNA_WEIGHT in obs else np.ones(len(obs))
    if _keys.REFERENCE in obs:
        by_type = obs.groupby(labels_key, observed=True)
        n_in_type = by_type[labels_key].transform("size").astype(float)
        n_references = by_type[_keys.REFERENCE].transform("nunique").astype(float)
        within = obs.groupby([labels_key, _keys.REFERENCE], observed=True)[labels_key].transform("size")
        weight = weight * (n_in_type / (within.astype(float) * n_references)).to_numpy()
    return weight


def _check_counts(totals: NDArray[np.floating], cell_types: Sequence[str]) -> None:
    empty = [name for name, total in zip(cell_types, totals, strict=True) if total == 0]
    if empty:
        msg = (
            f"No counts in the chosen genes for cell type(s) {', '.join(map(repr, empty))}. "
            "Remove these types from the reference, or increase the number of genes (--n-genes)."
        )
        raise LabelError(msg)
