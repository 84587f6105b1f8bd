"""Which genes the model reads: highly variable ones and markers of each type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from anndata import AnnData

from hpvade import _keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hpvade.pp._config import PreprocessConfig

_RIBOSOMAL_MITOCHONDRIAL = re.compile(r"(RP[LS]\d+[AXYL]*\d?|RPSA|RPLP\d|MT-.*|MTRNR.*)", re.IGNORECASE)


def is_ribosomal_or_mitochondrial(genes: Iterable[str]) -> NDArray[np.bool_]:
    """Tell by the symbol which genes are ribosomal proteins or mitochondrial, shape (n_genes,).

    >>> is_ribosomal_or_mitochondrial(["RPL3", "MT-CO1", "CD3E", "RPS6KA1"]).tolist()
    [True, True, False, False]
    """
    return np.array([_RIBOSOMAL_MITOCHONDRIAL.fullmatch(str(g)) is not None for g in genes])


def select_genes(
    cells: AnnData,
    *,
    labels_key: str,
    config: PreprocessConfig,
    symbols: Sequence[str] | NDArray[np.str_] | None = None,
) -> NDArray[np.bool_]:
    """Choose the model's genes from the cells that it trains on.

    Parameters
    ----------
    cells
        Training cells × genes: ``X`` in log space, ``layers["counts"]`` raw counts.
    labels_key
        Column of ``obs`` with the cell type.
    config
        How many genes.
    symbols
        Gene symbols, length n_genes, to recognise ribosomal and mitochondrial genes by. Default: the names.

    Returns
    -------
    Mask, shape (n_genes,): highly variable ∪ markers per type, without ribosomal and mitochondrial genes.
    """
    usable = np.asarray(cells.layers[_keys.COUNTS].sum(0)).ravel() > 0
    if config.drop_ribosomal_mitochondrial:
        usable &= ~is_ribosomal_or_mitochondrial(cells.var_names if symbols is None else symbols)
    candidates = cells[:, usable]
    chosen = set(_markers(candidates, labels_key=labels_key, n_markers=config.n_markers))
    chosen |= set(_highly_variable(candidates, n_genes=config.n_genes))
    return np.asarray(usable & cells.var_names.isin(chosen))


def _markers(cells: AnnData, *, labels_key: str, n_markers: int) -> NDArray[np.str_]:
    """Names of the top genes of each type against all other cells (overestimated-variance t-test)."""
    if n_markers == 0:
        return np.array([], dtype=str)
    import scanpy as sc  # noqa: PLC0415 - takes seconds, and deconvolving does without

    ranked = AnnData(cells.X, obs=cells.obs[[labels_key]], var=cells.var[[]])
    sc.tl.rank_genes_groups(ranked, labels_key, method="t-test_overestim_var", n_genes=n_markers)
    names = ranked.uns["rank_genes_groups"]["names"]
    return np.concatenate([names[cell_type] for cell_type in names.dtype.names]).astype(str)


def _highly_variable(cells: AnnData, *, n_genes: int) -> Sequence[str]:
    """Names of the most variable genes by the ``seurat_v3`` rule on counts."""
    if n_genes == 0:
        return []
    if n_genes >= cells.n_vars:
        return list(cells.var_names)
    import scanpy as sc  # noqa: PLC0415 - as above

    counts = AnnData(cells.layers[_keys.COUNTS], var=cells.var[[]])
    table = sc.pp.highly_variable_genes(counts, flavor="seurat_v3", n_top_genes=n_genes, inplace=False)
    return list(cells.var_names[table["highly_variable"].to_numpy()])
