"""Several references combined into one: all their genes, one RNA content, each reference its own source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from hpvade import _keys
from hpvade._errors import GeneOverlapError, LabelError
from hpvade._random import child_rng
from hpvade._warnings import DataWarning, warn
from hpvade.io import alias_columns
from hpvade.pp._genes import is_ribosomal_or_mitochondrial
from hpvade.pp._rna_content import consensus_rna_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_MIN_SHARED = 100


def combine_references(
    references: Mapping[str, AnnData],
    *,
    labels_key: str,
    donor_key: str | None,
    allow_missing_types: bool = False,
) -> AnnData:
    """Combine references on all genes that any of them has.

    A gene that a reference lacks is borrowed: each of its cells takes the gene's counts from a random cell
    of the same type in the first other reference that has the gene, scaled to its own depth (hot-deck
    imputation). If that reference lacks the type, the counts come from a cell of any type, and the gene then
    carries no information about the type. Restricting to the genes that all references share would lose most
    markers when references use different gene annotations.

    The RNA content of a cell type differs between references with depth, chemistry and cell filters.
    ``obs["hpvade_rna_weight"]`` scales each cell to one RNA content for all references, that of
    `consensus_rna_content`.

    Parameters
    ----------
    references
        Name → cells × genes with ``layers["counts"]``.
    labels_key, donor_key
        Columns of ``obs``; a reference without the donor column counts as one donor.
    allow_missing_types
        Whether a reference may lack types that another has; at least two types must be in all of them.

    Returns
    -------
    Cells × genes: ``layers["counts"]``, ``obs[labels_key]``, ``obs[donor_key]`` and, with two references or
    more, ``obs["hpvade_reference"]``, ``obs["hpvade_source"]`` (reference and donor) and
    ``obs["hpvade_rna_weight"]``. Later steps split each reference separately, draw each type of a mixture
    from one source, and give every reference the same weight in the signature.

    Raises
    ------
    LabelError
        The references use different sets of labels, or share fewer than two types.
    GeneOverlapError
        The references share too few genes.
    """
    names = list(references)
    if len(names) == 1:
        return references[names[0]]
    label_sets = {name: set(a.obs[labels_key].astype(str)) for name, a in references.items()}
    _check_labels(label_sets, allow_missing_types=allow_missing_types)
    content = _rna_content(references, labels_key=labels_key, shared=_shared_genes(references))
    consensus = pd.Series(consensus_rna_content(content.to_numpy()), index=content.columns)
    genes = pd.Index(dict.fromkeys(gene for a in references.values() for gene in a.var_names))
    parts = []
    for name, reference in references.items():
        labels = reference.obs[labels_key].astype(str)
        obs = pd.DataFrame({labels_key: labels.astype(object)})
        donor = reference.obs[donor_key].astype(str) if donor_key in reference.obs else "unknown"
        if donor_key is not None:
            obs[donor_key] = donor
        obs[_keys.REFERENCE] = name
        obs[_keys.SOURCE] = f"{name}/" + pd.Series(donor, index=obs.index)
        obs[_keys.RNA_WEIGHT] = labels.map(consensus / content.loc[name]).astype(float)
        obs.index = f"{name}:" + obs.index.astype(str)
        counts = _with_borrowed(name, references, genes=genes, labels_key=labels_key, content=content)
        parts.append(anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes)))
    combined = anndata.concat(parts)
    combined.layers[_keys.COUNTS] = combined.X.copy()
    combined.var = _aliases(references, genes=genes)
    corrected = [a.uns.get(_keys.UNS, {}).get(_keys.CORRECTED, False) for a in references.values()]
    combined.uns[_keys.UNS] = {_keys.CORRECTED: any(corrected)}
    return combined


def _aliases(references: Mapping[str, AnnData], *, genes: pd.Index) -> pd.DataFrame:
    """Other names of each gene, from the first reference that lists them; empty where none does."""
    found = pd.DataFrame(index=genes)
    for reference in references.values():
        for column in alias_columns(reference.var):
            own = reference.var[column].astype(object).reindex(genes)
            found[column] = own if column not in found else found[column].where(found[column].notna(), own)
    return found.astype(object).fillna("").astype(str)


def _with_borrowed(
    name: str, references: Mapping[str, AnnData], *, genes: pd.Index, labels_key: str, content: pd.DataFrame
) -> sp.csr_matrix:
    """Return the counts of one reference over ``genes``; genes that it lacks are borrowed."""
    own = references[name]
    labels = own.obs[labels_key].astype(str).to_numpy()
    blocks, columns = [sp.csr_matrix(own.layers[_keys.COUNTS])], list(own.var_names)
    order = list(references)
    for lender in (other for other in order if other != name):
        cells = references[lender]
        lent = cells.var_names[~cells.var_names.isin(columns)]
        rng = child_rng(0, "borrow", order.index(name), order.index(lender))
        lender_labels = cells.obs[labels_key].astype(str).to_numpy()
        partner = _partners(labels, lender_labels, rng=rng)
        block = sp.csr_matrix(cells[:, lent].layers[_keys.COUNTS], dtype=np.float32)[partner]
        depth = content.loc[name][labels].to_numpy() / content.loc[lender][lender_labels[partner]].to_numpy()
        block.data = rng.poisson(block.data * np.repeat(depth, np.diff(block.indptr))).astype(np.float32)
        blocks.append(block)
        columns += list(lent)
    joined = sp.csr_matrix(sp.hstack(blocks, format="csr"), dtype=np.float32)
    joined = joined[:, pd.Index(columns).get_indexer(genes)]
    joined.eliminate_zeros()
    return joined


def _partners(
    labels: NDArray[np.str_], lender_labels: NDArray[np.str_], *, rng: np.random.Generator
) -> NDArray[np.integer]:
    """Random cell of the lender for each cell: of the same type, or of any type where the lender lacks it."""
    partner = np.empty(labels.size, np.int64)
    for cell_type in np.unique(labels):
        cells = labels == cell_type
        same = np.flatnonzero(lender_labels == cell_type)
        partner[cells] = rng.choice(same if same.size else lender_labels.size, int(cells.sum()))
    return partner


def _rna_content(references: Mapping[str, AnnData], *, labels_key: str, shared: pd.Index) -> pd.DataFrame:
    """Mean counts of a cell of each type over the shared genes, references × types; NaN without the type."""
    rows = {}
    for name, reference in references.items():
        totals = np.asarray(reference[:, shared].layers[_keys.COUNTS].sum(1), dtype=np.float64).ravel()
        rows[name] = pd.Series(totals).groupby(reference.obs[labels_key].astype(str).to_numpy()).mean()
        if (rows[name] == 0).any():
            msg = (
                f"Cell type '{rows[name].idxmin()}' of '{name}' has no counts in the genes that the "
                "references share. Remove it with --label-map, or leave the reference out."
            )
            raise LabelError(msg)
    return pd.DataFrame(rows).T


def _shared_genes(references: Mapping[str, AnnData]) -> pd.Index:
    """Genes that all references have, except ribosomal and mitochondrial genes."""
    shared, *others = (reference.var_names for reference in references.values())
    for other in others:
        shared = shared[shared.isin(other)]
    if len(shared) < _MIN_SHARED:
        shown = "; ".join(f"{name}: {', '.join(a.var_names[:3])}, …" for name, a in references.items())
        msg = (
            f"The references share {len(shared)} genes; at least {_MIN_SHARED} are needed. Their gene names: "
            f"{shown}. Use references with the same kind of gene names."
        )
        raise GeneOverlapError(msg)
    return shared[~is_ribosomal_or_mitochondrial(shared)]


def _check_labels(label_sets: Mapping[str, set[str]], *, allow_missing_types: bool) -> None:
    names: Sequence[str] = list(label_sets)
    shared = set.intersection(*label_sets.values())
    for name in names:
        own = sorted(label_sets[name] - shared)
        if own and not allow_missing_types:
            msg = (
                f"The references use different labels: {', '.join(map(repr, own))} of '{name}' "
                f"{'is' if len(own) == 1 else 'are'} not in all of {', '.join(np.sort(names))}. "
                "Pass --label-map with columns label, cell_type, reference."
            )
            raise LabelError(msg)
    if len(shared) < 2:
        shown = "; ".join(f"{name}: {', '.join(sorted(label_sets[name]))}" for name in names)
        msg = (
            f"The references share {len(shared)} cell type{'' if len(shared) == 1 else 's'}; at least 2 are "
            f"needed. Their cell types: {shown}. Give matching cell types the same name in --label-map."
        )
        raise LabelError(msg)
    partly = sorted(set.union(*label_sets.values()) - shared)
    if partly:
        msg = (
            f"Not every reference has {', '.join(map(repr, partly))}. The profiles of these cell types come "
            "from the references that have them."
        )
        warn(msg, DataWarning)
