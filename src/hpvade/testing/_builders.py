"""Builders of references and bulk tables small enough to train on in a second."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from hpvade import _keys
from hpvade.model._prepare import prepare, reference_settings
from hpvade.pp import PreprocessConfig

_RNA_CONTENT = (1.1, 2.2, 1.0, 4.0, 5.0, 6.0)  # of B cells, monocytes and T cells about as published


def tiny_reference(
    *,
    n_cells: int = 40,
    n_genes: int = 150,
    cell_types: tuple[str, ...] = ("B", "Monocyte", "T"),
    seed: int = 0,
) -> AnnData:
    """Simulate a reference with distinct cell types.

    Parameters
    ----------
    n_cells
        Number of cells per type.
    n_genes
        Number of genes, which include markers of every type.
    cell_types
        Names of the cell types.
    seed
        Seed.

    Returns
    -------
    Cells × genes: ``X`` and ``layers["counts"]`` raw counts (CSR), ``obs["cell_type"]``, ``obs["donor"]``
    (four donors), ``var["gene_ids"]`` in the format of Ensembl.
    """
    rng = np.random.default_rng(seed)
    base = rng.gamma(1.0, 1.0, n_genes)
    profiles = np.tile(base, (len(cell_types), 1))
    for k in range(len(cell_types)):
        profiles[k, k :: len(cell_types) + 1] *= 8
    labels = np.repeat(np.arange(len(cell_types)), n_cells)
    content = np.resize(_RNA_CONTENT, len(cell_types))
    depth = rng.uniform(1, 3, labels.size) * 2 * content[labels]
    counts = sp.csr_matrix(rng.poisson(profiles[labels] * depth[:, None]).astype(np.float32))
    obs = pd.DataFrame(
        {
            _keys.CELL_TYPE: pd.Categorical([cell_types[k] for k in labels]),
            "donor": pd.Categorical([f"donor_{i % 4}" for i in range(labels.size)]),
        },
        index=[f"cell_{i}" for i in range(labels.size)],
    )
    var = pd.DataFrame(
        {"gene_ids": [f"ENSG{i:011d}" for i in range(n_genes)]}, index=[f"GENE{i}" for i in range(n_genes)]
    )
    return AnnData(counts.copy(), obs=obs, var=var, layers={_keys.COUNTS: counts})


def tiny_bulk(reference: AnnData, *, n_samples: int = 6, seed: int = 0) -> AnnData:
    """Mix the types of a reference exactly: samples × genes, CPM, with ``obsm["fractions"]`` the truth."""
    rng = np.random.default_rng(seed)
    settings = reference_settings(reference) | {"seed": 0}
    config = PreprocessConfig(n_genes=reference.n_vars)
    signature = prepare(reference, settings, config=config).signature.model_genes
    fractions = rng.dirichlet(np.ones(len(signature.cell_types)), n_samples)
    weights = fractions * signature.rna_content
    cpm = weights @ signature.cpm.T / weights.sum(1, keepdims=True)
    names = [f"sample_{i + 1}" for i in range(n_samples)]
    bulk = AnnData(cpm, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=list(signature.genes)))
    bulk.obsm[_keys.FRACTIONS] = pd.DataFrame(fractions, index=names, columns=list(signature.cell_types))
    return bulk
