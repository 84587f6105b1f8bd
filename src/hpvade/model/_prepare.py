"""Check a reference and bulk samples, and bring their genes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.io import match_genes
from hpvade.model._setup import hierarchy_set_up
from hpvade.pp import counts_to_log, preprocess, reference_signature
from hpvade.schema import check_bulk, check_overlap, check_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hpvade.io import GeneMatch
    from hpvade.model._checkpoint import Checkpoint
    from hpvade.pp import Hierarchy, PreprocessConfig, ReferenceSignature
    from hpvade.schema import ValidationReport


def prepare(
    reference: AnnData,
    settings: Mapping[str, Any],
    *,
    config: PreprocessConfig,
    bulk: AnnData | None = None,
) -> AnnData:
    """Prepare a reference as `hpvade.pp.preprocess` does, after all that can be wrong with it was checked.

    Parameters
    ----------
    reference, config
        As for `hpvade.pp.preprocess`.
    settings
        ``labels_key``, ``donor_key`` (empty: none) and ``seed``.
    bulk
        Samples whose genes the model is restricted to.

    Raises
    ------
    InputError
        Labels, counts or genes cannot be used; all problems are told at once.
    """
    labels_key, donor_key = settings["labels_key"], settings["donor_key"] or None
    report = check_reference(
        reference, labels_key=labels_key, donor_key=donor_key, min_cells=config.min_cells
    )
    genes = None
    if bulk is not None:
        bulk = match_genes(bulk, reference.var)
        report += check_overlap(bulk, reference.var_names)
        genes = set(bulk.var_names)
    report.raise_if_errors()
    report.warn()
    return preprocess(
        reference,
        labels_key=labels_key,
        donor_key=donor_key,
        genes=genes,
        config=config,
        seed=settings["seed"],
    )


def match_bulk(bulk: AnnData, match: GeneMatch, *, genes: Sequence[str]) -> AnnData:
    """Check bulk samples, and name their genes as a model's reference does.

    Parameters
    ----------
    bulk
        Samples × genes, linear.
    match
        How its genes are named in the reference.
    genes
        The model's genes.

    Raises
    ------
    InputError
        Values cannot be used, or too few of the model's genes are there.
    """
    values = check_bulk(bulk)
    values.raise_if_errors()
    if "unit" not in bulk.uns.get(_keys.UNS, {}):  # else read_bulk has told its notes already
        values.warn()
    matched = match.renamed(bulk)
    check_model_overlap(matched, genes).raise_if_errors()
    return matched


def check_model_overlap(matched: AnnData, genes: Sequence[str]) -> ValidationReport:
    """Check that bulk samples, their genes named as in a model's reference, hold enough of its genes."""
    min_shared = min(100, len(genes) // 2)
    return check_overlap(matched, pd.Index(genes), min_shared=min_shared, owner="the model")


def in_log_space(cells: AnnData | None, genes: Sequence[str]) -> AnnData:
    """Take cells to what the VAE reads: cells × genes, X in log space over these genes, CSR.

    Raises
    ------
    InputError
        There are no cells, or they have no counts, or lack a gene.
    """
    if cells is None:
        msg = "The model was loaded without its reference. Give the reference, or load the model with it."
        raise InputError(msg)
    if _keys.COUNTS not in cells.layers:
        msg = f"The reference has no layer '{_keys.COUNTS}' with raw counts; read_reference makes it."
        raise InputError(msg)
    if missing := [gene for gene in genes if gene not in cells.var_names]:
        msg = (
            f"The reference lacks {len(missing)} of the model's {len(genes)} genes, the first is "
            f"'{missing[0]}'. Name genes as the reference of the model does."
        )
        raise InputError(msg)
    counts = sp.csr_matrix(cells[:, list(genes)].layers[_keys.COUNTS])
    return AnnData(counts_to_log(counts), obs=cells.obs[[]], var=pd.DataFrame(index=list(genes)))


def prepare_again(reference: AnnData, stored: Checkpoint, *, folder: str | Path) -> AnnData:
    """Prepare the reference of a model that was loaded from ``folder``.

    Raises
    ------
    InputError
        It is not the one that the model was trained on, or cannot be used.
    """
    prepared = prepare(reference, stored.settings, config=stored.config.preprocess)
    hierarchies = (hierarchy_set_up(reference), stored.hierarchy)
    check_same_reference(prepared, stored.reference_signature, hierarchies=hierarchies, folder=folder)
    return prepared


def check_same_reference(
    prepared: AnnData,
    stored: ReferenceSignature,
    *,
    hierarchies: tuple[Hierarchy, Hierarchy],
    folder: str | Path,
) -> None:
    """Refuse a prepared reference that is not the one that a model in ``folder`` was made with.

    Its model genes become those of the model. ``hierarchies`` are that of the reference and the model's.

    Raises
    ------
    InputError
        Genes, cell types, their levels or RNA content differ.
    """
    prepared.var[_keys.SELECTED] = prepared.var_names.isin(list(stored.model_genes.genes))
    found, expected = reference_signature(prepared).all_genes, stored.all_genes
    if (found.genes, found.cell_types) != (expected.genes, expected.cell_types):
        msg = f"{folder} was trained on another reference: genes or cell types differ."
        raise InputError(msg)
    if not np.array_equal(hierarchies[0].table.reset_index(drop=True), hierarchies[1].table) or (
        hierarchies[0].levels != hierarchies[1].levels
    ):
        msg = f"{folder} was trained with other levels of cell types."
        raise InputError(msg)
    if not np.allclose(found.rna_content, expected.rna_content, rtol=1e-4):
        msg = f"{folder} was trained with another RNA content, or on other cells."
        raise InputError(msg)
