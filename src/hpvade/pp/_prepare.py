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
from hpvade.pp._config import PreprocessConfig
from hpvade.pp._genes import gene_symbols, gene_trust
from hpvade.pp._pool import label_sums
from hpvade.pp._spaces import counts_to_log

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

_MIN_GENES = 10


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
        Cells × genes with raw counts in ``layers["counts"]`` and labels in ``obs``; not modified.
    labels_key
        Column of ``obs`` with the cell type.
    donor_key
        Column of ``obs`` with the donor; held-out cells then come from held-out donors.
    genes
        Genes that may be chosen, for instance those of the bulk samples. Default: all.
    config
        Number of genes, share of cells held out.
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
    # Fix the order of genes: the result must not depend on the order in the file.
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
        symbols=gene_symbols(prepared.var)[allowed],
    )
    chosen = trust > 0
    if chosen.sum() < _MIN_GENES:
        msg = (
            f"Only {chosen.sum()} of {prepared.n_vars} genes can be used; at least {_MIN_GENES} are needed. "
            "Increase --n-genes, or check that reference and bulk use the same gene names."
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
    if (pooled := label_sums(reference)) is not None:
        if set(pooled.counts) != set(obs[labels_key].cat.categories):
            msg = (
                f"The reference is a pool whose sums in varm['{_keys.SUMS}'] have other labels than "
                f"obs['{labels_key}']. Change labels with --label-map, or delete the sums to compute S from "
                "the pooled cells alone."
            )
            raise LabelError(msg)
        prepared.varm[_keys.SUMS] = reference.varm[_keys.SUMS].iloc[order]
        prepared.uns[_keys.UNS][_keys.N_CELLS] = reference.uns[_keys.UNS][_keys.N_CELLS]
    return prepared


def split_cells(
    cell_type: Sequence[str],
    *,
    heldout: float,
    rng: np.random.Generator,
    donor: Sequence[str] | None = None,
) -> NDArray[np.str_]:
    """Hold out a share of the cells of every type.

    With two donors or more, whole donors are held out (at least one, and beyond the first only as many as the
    share allows), so that validation cells come from donors the model has not seen. A type that would then be
    missing from either side is split by cells instead.

    Parameters
    ----------
    cell_type
        Cell type of each cell, length n_cells; at least two cells of each type.
    heldout
        Share of cells to hold out.
    rng
        Source of randomness.
    donor
        Donor of each cell, length n_cells.

    Returns
    -------
    ``"train"`` or ``"heldout"`` for each cell, shape (n_cells,).
    """
    types = np.asarray(cell_type, dtype=str)
    out = np.zeros(types.size, dtype=bool)
    if donor is not None:
        out = np.isin(np.asarray(donor, dtype=str), _heldout_donors(donor, heldout=heldout, rng=rng))
    for name in np.unique(types):
        cells = np.flatnonzero(types == name)
        if out[cells].all() or not out[cells].any():
            n_out = min(max(1, round(heldout * cells.size)), cells.size - 1)
            out[cells] = False
            out[rng.permutation(cells)[:n_out]] = True
    return np.where(out, _keys.HELDOUT, _keys.TRAIN)


def _heldout_donors(donor: Sequence[str], *, heldout: float, rng: np.random.Generator) -> list[str]:
    """Donors to hold out, in random order while they fit into the share; none if there is only one donor."""
    n_cells = pd.Series(np.asarray(donor, dtype=str)).value_counts().sort_index()
    if len(n_cells) < 2:
        return []
    budget = heldout * len(donor)
    chosen: list[str] = []
    used = 0
    for name in rng.permutation(n_cells.index.to_numpy()):
        if used + n_cells[name] <= budget:
            chosen.append(str(name))
            used += int(n_cells[name])
    return chosen or [str(n_cells.idxmin())]


def _split(
    obs: pd.DataFrame, *, labels_key: str, donor_key: str | None, config: PreprocessConfig, seed: int
) -> NDArray[np.str_]:
    """Split the cells; several references are split separately, so that the model learns from all of them."""
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
        if (split[cells] == _keys.TRAIN).all():  # one cell in each reference: too few to split there
            split[cells] = split_cells(
                obs[labels_key][cells].to_numpy(),
                heldout=config.heldout,
                rng=child_rng(seed, "split", "rare", cell_type),
            )
    return split.astype(str)
