"""The genes of the model, markers of each type and highly variable ones, and the trust in each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import LabelError
from hpvade.io import SYMBOL_COLUMNS
from hpvade.pp._pool import sum_by_group
from hpvade.pp._spaces import MARKER_FLOOR, counts_to_cpm, floored_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hpvade.pp._config import PreprocessConfig

_DECAY = 4.0  # trust of the last marker of a type: exp(-4)
_RIBOSOMAL_MITOCHONDRIAL = re.compile(r"(RP[LS]\d+[AXYL]*\d?|RPSA|RPLP\d|MT-.*|MTRNR.*)", re.IGNORECASE)
_OTHER_SPECIES = re.compile(r"ENS[A-Z]{3,4}G\d+")
_GLOBIN = re.compile(r"HB(A|B|D|E|G|M|Q|Z)(\d[AB]?|P\d)?|HB[AB]-.*", re.IGNORECASE)


def is_ribosomal_or_mitochondrial(genes: Iterable[str]) -> NDArray[np.bool_]:
    """Recognise ribosomal protein genes and mitochondrial genes by their symbols, shape (n_genes,).

    >>> is_ribosomal_or_mitochondrial(["RPL3", "MT-CO1", "CD3E", "RPS6KA1"]).tolist()
    [True, True, False, False]
    """
    return _matching(_RIBOSOMAL_MITOCHONDRIAL, genes)


def is_globin(genes: Iterable[str]) -> NDArray[np.bool_]:
    """Recognise haemoglobin genes by their symbols, shape (n_genes,).

    >>> is_globin(["HBA1", "Hbq1b", "Hbb-bs", "HBEGF", "HBP1"]).tolist()
    [True, True, True, False, False]
    """
    return _matching(_GLOBIN, genes)


def is_comparable(genes: Iterable[str]) -> NDArray[np.bool_]:
    """Recognise genes that are comparable between platforms and samples, shape (n_genes,).

    Neither ribosomal, mitochondrial nor of haemoglobin.
    """
    genes = list(genes)
    return ~(is_ribosomal_or_mitochondrial(genes) | is_globin(genes))


def is_human(symbols: Iterable[str]) -> bool:
    """Tell human genes, in upper case or ENSG…, from those of rodents.

    >>> is_human(["CD3E", "C1orf43", "MS4A1"]), is_human(["Cd3e", "Ms4a1"]), is_human(["ENSMUSG00000032093"])
    (True, False, False)
    """
    named = [symbol == symbol.upper() and not _OTHER_SPECIES.match(symbol) for symbol in map(str, symbols)]
    return bool(np.mean(named) > 0.5)


def _matching(pattern: re.Pattern[str], genes: Iterable[str]) -> NDArray[np.bool_]:
    return np.array([pattern.fullmatch(str(gene)) is not None for gene in genes])


def gene_symbols(var: pd.DataFrame) -> NDArray[np.str_]:
    """Return the symbol of each gene: from a column of ``var`` with symbols, otherwise the gene's name."""
    names = var.index.to_series().astype(str)
    for column in (name for name in SYMBOL_COLUMNS if name in var):
        symbols = var[column].astype(object)
        return np.asarray(symbols.where(symbols.notna() & (symbols != ""), names), dtype=str)
    return np.asarray(names, dtype=str)


def model_genes(prepared: AnnData) -> AnnData:
    """Restrict a prepared reference to the model's genes, a view cells × selected genes.

    Raises
    ------
    LabelError
        The AnnData did not come from `preprocess`.
    """
    if _keys.SELECTED not in prepared.var or _keys.UNS not in prepared.uns:
        msg = "The reference has not been prepared. Run hpvade.pp.preprocess (hpvade preprocess) first."
        raise LabelError(msg)
    return prepared[:, prepared.var[_keys.SELECTED].to_numpy()]


def gene_trust(
    cells: AnnData,
    *,
    labels_key: str,
    config: PreprocessConfig,
    symbols: Sequence[str] | NDArray[np.str_] | None = None,
) -> NDArray[np.float64]:
    """Choose the model's genes from the training cells and give each a trust.

    The trust of a marker falls with its rank among its type's markers, exp(-4 · rank / n_markers). The fall
    is smooth, so it hardly matters which genes rank last. Highly variable genes that are not markers get the
    trust of the last markers.

    Parameters
    ----------
    cells
        Training cells × genes: ``X`` in log space, ``layers["counts"]`` raw counts.
    labels_key
        Column of ``obs`` with the cell type.
    config
        How many genes.
    symbols
        Gene symbols, length n_genes, which identify ribosomal and mitochondrial genes. Default: the names.

    Returns
    -------
    Trust, shape (n_genes,), in (0, 1]; 0 for genes that are not chosen, including ribosomal and mitochondrial
    genes. Without markers, all chosen genes have trust 1.
    """
    usable = np.asarray(cells.layers[_keys.COUNTS].sum(0)).ravel() > 0
    if config.drop_ribosomal_mitochondrial:
        usable &= ~is_ribosomal_or_mitochondrial(cells.var_names if symbols is None else symbols)
    candidates = cells[:, usable]
    trust = np.zeros(cells.n_vars)
    if config.n_markers:
        trust[usable] = _marker_trust(candidates, labels_key=labels_key, n_markers=config.n_markers)
    lowest = np.exp(-_DECAY) if config.n_markers else 1.0
    variable = usable & cells.var_names.isin(_highly_variable(candidates, n_genes=config.n_genes))
    trust[variable] = np.maximum(trust[variable], lowest)
    return trust


def _marker_trust(cells: AnnData, *, labels_key: str, n_markers: int) -> NDArray[np.float64]:
    """Trust by the best rank over types; 0 beyond ``n_markers`` and for genes without evidence.

    Each reference is scored separately, and the score of a gene is its lowest over references: a gene that
    separates types on one platform only is not a marker.
    """
    reference = cells.obs[_keys.REFERENCE] if _keys.REFERENCE in cells.obs else np.zeros(cells.n_obs)
    cell_types = sorted(cells.obs[labels_key].astype(str).unique())
    scores = np.full((len(cell_types), cells.n_vars), np.inf)
    for name in np.unique(reference):
        part = cells[np.asarray(reference == name)]
        scores = np.fmin(scores, _marker_scores(part, labels_key=labels_key, cell_types=cell_types))
    scores[np.isinf(scores)] = 0  # no reference has two cells of the type
    rank = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    trust = np.where((scores > 0) & (rank < n_markers), np.exp(-_DECAY * rank / n_markers), 0.0)
    return np.asarray(trust.max(0))


def _marker_scores(cells: AnnData, *, labels_key: str, cell_types: Sequence[str]) -> NDArray[np.float64]:
    """Score genes as markers, shape (n_types, n_genes): √t · log ratio, evidence times effect.

    t is the t-test of the type against all other cells with overestimated variance, the log ratio that of
    the type's signature over the mean of the others'. NaN for a type with fewer than two of ``cells``.
    """
    import scanpy as sc  # noqa: PLC0415 - takes seconds, and deconvolution does not need it

    labels = pd.Categorical(cells.obs[labels_key].astype(str), categories=pd.Index(cell_types))
    counts = sum_by_group(cells.layers[_keys.COUNTS], labels.codes, n_groups=len(cell_types))
    testable = np.bincount(labels.codes, minlength=len(cell_types)) >= 2
    scores = np.full((len(cell_types), cells.n_vars), np.nan)
    if testable.sum() < 2:
        return scores
    log = floored_log(counts_to_cpm(counts[testable]), MARKER_FLOOR)
    ratio = (log - log.mean(0)) * len(log) / (len(log) - 1)
    ranked = AnnData(cells.X, obs=cells.obs[[labels_key]].astype(str), var=cells.var[[]])
    tested = [name for name, enough in zip(cell_types, testable, strict=True) if enough]
    sc.tl.rank_genes_groups(
        ranked, labels_key, groups=tested, method="t-test_overestim_var", n_genes=cells.n_vars
    )
    table = sc.get.rank_genes_groups_df(ranked, group=None)
    t = table.pivot(index="group", columns="names", values="scores").loc[tested, cells.var_names].to_numpy()
    scores[testable] = np.sqrt(np.maximum(t, 0)) * np.maximum(ratio, 0)
    return scores


def _highly_variable(cells: AnnData, *, n_genes: int) -> Sequence[str]:
    """Names of the most variable genes by the ``seurat_v3`` rule on counts."""
    if n_genes == 0:
        return []
    if n_genes >= cells.n_vars:
        return list(cells.var_names)
    import scanpy as sc  # noqa: PLC0415 - as above

    counts = AnnData(cells.layers[_keys.COUNTS], var=cells.var[[]])
    table = sc.pp.highly_variable_genes(
        counts, flavor="seurat_v3", n_top_genes=n_genes, inplace=False, check_values=False
    )  # corrected counts are not whole numbers
    return list(cells.var_names[table["highly_variable"].to_numpy()])
