"""Reference → prepared reference: log space, model genes, training and held-out cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import GeneOverlapError, LabelError, absent_column
from hpvade._random import child_rng
from hpvade.io import SYMBOL_COLUMNS
from hpvade.pp._aggregate import signature, signature_of_sums
from hpvade.pp._config import PreprocessConfig
from hpvade.pp._genes import gene_trust, is_ribosomal_or_mitochondrial
from hpvade.pp._pool import sums_of_labels
from hpvade.pp._reference_signature import ReferenceSignature, anchor_genes
from hpvade.pp._spaces import counts_to_log
from hpvade.pp._split import split_cells

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

_FEWEST_GENES = 10


def preprocess(
    reference: AnnData,
    *,
    labels_key: str = _keys.CELL_TYPE,
    donor_key: str | None = None,
    genes: Collection[str] | None = None,
    config: PreprocessConfig | None = None,
    seed: int = 0,
) -> AnnData:
    """Prepare a reference for simulation and training.

    Parameters
    ----------
    reference
        Cells × genes with raw counts in ``layers["counts"]`` and labels in ``obs``. It is left untouched.
    labels_key
        Column of ``obs`` with the cell type.
    donor_key
        Column of ``obs`` with the donor; held-out cells then come from held-out donors.
    genes
        Genes that may be chosen, for instance those of the bulk samples. Default: all.
    config
        How many genes, which share is held out.
    seed
        Seed of the split.

    Returns
    -------
    A new AnnData, genes in sorted order: ``X`` log space (CSR; expm1 of a cell sums to 1e4 over all genes),
    ``layers["counts"]`` raw counts, ``obs["split"]``, ``obs["total_counts"]``, ``var["selected"]``,
    ``var["trust"]``, and the settings in ``uns["hpvade"]``.

    Raises
    ------
    GeneOverlapError
        Fewer than 10 genes are left to choose.
    """
    config = config or PreprocessConfig()
    if labels_key not in reference.obs:
        raise LabelError(absent_column(labels_key, reference.obs, option="labels_key", place="reference.obs"))
    # A fixed order of genes: the answer must not depend on the order in a file.
    order = np.argsort(reference.var_names.to_numpy().astype(str))
    counts = sp.csr_matrix(reference.layers[_keys.COUNTS])[:, order].astype(np.float32)
    wanted = (labels_key, donor_key, _keys.REFERENCE, _keys.SOURCE)
    obs = (
        reference.obs[[name for name in dict.fromkeys(wanted) if name in reference.obs]]
        .astype(str)
        .astype("category")
    )
    prepared = AnnData(counts_to_log(counts), obs=obs, var=reference.var.iloc[order].copy())
    prepared.layers[_keys.COUNTS] = counts
    if _keys.RNA_WEIGHT in reference.obs:
        prepared.obs[_keys.RNA_WEIGHT] = reference.obs[_keys.RNA_WEIGHT].to_numpy(np.float64)
    prepared.obs[_keys.TOTAL_COUNTS] = np.asarray(counts.sum(1), dtype=np.float64).ravel()
    prepared.obs[_keys.SPLIT] = _split(
        prepared.obs, labels_key=labels_key, donor_key=donor_key, config=config, seed=seed
    )
    allowed = np.ones(prepared.n_vars, bool) if genes is None else prepared.var_names.isin(list(genes))
    trust = np.zeros(prepared.n_vars)
    in_training = (prepared.obs[_keys.SPLIT] == _keys.TRAIN).to_numpy()
    trust[allowed] = gene_trust(
        prepared[in_training, allowed],
        labels_key=labels_key,
        config=config,
        symbols=_symbols(prepared)[allowed],
    )
    chosen = trust > 0
    if chosen.sum() < _FEWEST_GENES:
        msg = (
            f"Only {chosen.sum()} of {prepared.n_vars} genes could be chosen. "
            "Raise --n-genes, or check that reference and bulk name genes alike."
        )
        raise GeneOverlapError(msg)
    prepared.var[_keys.SELECTED] = chosen
    prepared.var[_keys.TRUST] = trust
    prepared.uns[_keys.UNS] = {
        "labels_key": labels_key,
        "donor_key": donor_key or "",
        "seed": seed,
        "preprocess": config.model_dump(),
    }
    if (told := sums_of_labels(reference)) is not None:
        if set(told[0]) != set(obs[labels_key].cat.categories):
            msg = (
                f"The reference is a pool: varm['{_keys.SUMS}'] has other labels than obs['{labels_key}']. "
                "Change labels with --label-map, or delete the sums: S is then that of the pool."
            )
            raise LabelError(msg)
        prepared.varm[_keys.SUMS] = reference.varm[_keys.SUMS].iloc[order]
        prepared.uns[_keys.UNS][_keys.N_CELLS] = reference.uns[_keys.UNS][_keys.N_CELLS]
    return prepared


def _split(
    obs: pd.DataFrame, *, labels_key: str, donor_key: str | None, config: PreprocessConfig, seed: int
) -> NDArray[np.str_]:
    """Split the cells; of several references each for itself, so that the model learns from all of them."""
    reference = obs[_keys.REFERENCE] if _keys.REFERENCE in obs else pd.Series("", index=obs.index)
    split = np.empty(len(obs), dtype=object)
    for name in sorted(reference.unique()):
        cells = (reference == name).to_numpy()
        split[cells] = split_cells(
            obs[labels_key][cells].to_numpy(),
            heldout=config.heldout,
            rng=child_rng(seed, *filter(None, ("split", name))),
            donor=None if donor_key is None else obs[donor_key][cells].to_numpy(),
        )
    for cell_type in obs[labels_key].unique():
        cells = (obs[labels_key] == cell_type).to_numpy()
        if (split[cells] == _keys.TRAIN).all():  # one cell in each reference: too few to split for itself
            split[cells] = split_cells(
                obs[labels_key][cells].to_numpy(),
                heldout=config.heldout,
                rng=child_rng(seed, "split", "rare", cell_type),
            )
    return split.astype(str)


def _symbols(prepared: AnnData) -> NDArray[np.str_]:
    """Gene symbols: a column of ``var`` that holds them, or the names where it holds none."""
    names = prepared.var_names.to_series().astype(str)
    for column in (name for name in SYMBOL_COLUMNS if name in prepared.var):
        symbols = prepared.var[column].astype(object)
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
        msg = "This reference is not prepared: run hpvade.pp.preprocess (hpvade preprocess) on it first."
        raise LabelError(msg)
    return prepared[:, prepared.var[_keys.SELECTED].to_numpy()]


def reference_signature(prepared: AnnData) -> ReferenceSignature:
    """Make S and m of all genes from all cells of a prepared reference, of a pool from the sums of all.

    Of several references each has the same say in each type, however many cells it has.
    """
    selected = model_genes(prepared).var_names
    labels_key = prepared.uns[_keys.UNS]["labels_key"]
    genes = list(prepared.var_names)
    weight = _weight(prepared.obs, labels_key=labels_key)
    labels = prepared.obs[labels_key]
    if (told := sums_of_labels(prepared)) is None:
        whole = signature(prepared.layers[_keys.COUNTS], labels, genes=genes, weight=weight)
    else:
        sums, n_cells = told
        cell_types = [str(name) for name in sums]
        of_type = pd.Series(weight).groupby(labels.astype(str).to_numpy()).first()[cell_types].to_numpy()
        summed = sums.to_numpy().T * of_type[:, None]
        whole = signature_of_sums(summed, n_cells.to_numpy(), genes=genes, cell_types=cell_types)
    chosen = prepared.var_names.isin(selected)
    candidates = ~chosen & ~is_ribosomal_or_mitochondrial(_symbols(prepared))
    n_references = prepared.obs[_keys.REFERENCE].nunique() if _keys.REFERENCE in prepared.obs else 1
    return ReferenceSignature(whole, chosen, anchor_genes(whole, candidates), n_references)


def _weight(obs: pd.DataFrame, *, labels_key: str) -> NDArray[np.float64]:
    """Weight of each cell: to the RNA content of its type, and every reference alike within a type."""
    weight = obs[_keys.RNA_WEIGHT].to_numpy(np.float64) if _keys.RNA_WEIGHT in obs else np.ones(len(obs))
    if _keys.REFERENCE in obs:
        by_type = obs.groupby(labels_key, observed=True)
        n_of_type = by_type[labels_key].transform("size").astype(float)
        n_references = by_type[_keys.REFERENCE].transform("nunique").astype(float)
        within = obs.groupby([labels_key, _keys.REFERENCE], observed=True)[labels_key].transform("size")
        weight = weight * (n_of_type / (within.astype(float) * n_references)).to_numpy()
    return weight
