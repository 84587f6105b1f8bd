"""Check a reference, and prepare it for the genes of a bulk table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpvade._errors import InputError
from hpvade.io import match_genes
from hpvade.pp import preprocess
from hpvade.schema import check_overlap, check_reference

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from hpvade.pp import PreprocessConfig, Signature


def check_and_preprocess(
    reference: AnnData,
    *,
    labels_key: str,
    donor_key: str | None,
    config: PreprocessConfig,
    seed: int,
    bulk: AnnData | None = None,
) -> AnnData:
    """Prepare a reference as `hpvade.pp.preprocess` does, after all that can be wrong with it was checked.

    Parameters
    ----------
    reference, labels_key, donor_key, config, seed
        As for `hpvade.pp.preprocess`.
    bulk
        Samples whose genes the model is restricted to.

    Raises
    ------
    InputError
        Labels, counts or genes cannot be used; all problems are told at once.
    """
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
        reference, labels_key=labels_key, donor_key=donor_key, genes=genes, config=config, seed=seed
    )


def check_same_reference(found: Signature, stored: Signature, *, folder: str | Path) -> None:
    """Refuse a reference whose signature is not the one that a model in ``folder`` was made with.

    Raises
    ------
    InputError
        Genes, cell types or RNA content differ.
    """
    if (found.genes, found.cell_types) != (stored.genes, stored.cell_types):
        msg = f"{folder} was trained on another reference: genes or cell types differ."
        raise InputError(msg)
    if not np.allclose(found.rna_content, stored.rna_content, rtol=1e-4):
        msg = f"{folder} was trained with another RNA content, or on other cells."
        raise InputError(msg)
