"""The features of a reference: which of them are genes, and what the genes are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from hpvade._errors import FileFormatError
from hpvade.io._genes import SYMBOL_COLUMNS, alias_columns, describe_repeats, group_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENSEMBL = r"ENS[A-Z]*G\d+"

# Types of features, in lower case, and names of features that are not genes.
_TYPE_COLUMNS = ("feature_types", "feature_type", "modality")
_GENE_TYPES = ("gene expression", "gex", "rna")
_OTHER_TYPES = (
    "antibody capture",
    "adt",
    "protein",
    "prot",
    "peaks",
    "atac",
    "crispr guide capture",
    "custom",
)
_OTHER_NAMES = {
    "antibodies": r"(?i)TotalSeq|^(?:ADT|HTO|prot|antibody)[_:-]|[_-](?:ADT|HTO|prot|antibody)$|^hashtag",
    "peaks": r"^(?:chr)?[0-9XYM]+[:_-]\d+[_-]\d+$",
}


class ReferenceGenes(NamedTuple):
    """The genes of a reference; see `reference_genes`.

    Attributes
    ----------
    var
        Each gene once, by its name.
    notes
        What was decided.
    features
        Names of the features in the file.
    columns
        0/1 matrix, shape (features, genes), that selects genes and sums those with one name; None if the
        genes are the features.
    """

    var: pd.DataFrame
    notes: list[str]
    features: pd.Index
    columns: sparse.csr_matrix[np.float32] | None = None

    def of(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return counts of genes, given those of features, cells × features."""
        return counts if self.columns is None else counts @ self.columns


def reference_genes(var: pd.DataFrame) -> ReferenceGenes:
    """Find the genes of a reference among the features of its file.

    Features that are not genes (antibodies, peaks) are left out, genes that are numbered get their names from
    a column, and genes that share a name become one.

    Raises
    ------
    FileFormatError
        If no feature is a gene.
    """
    is_gene, notes = _genes_among(var)
    genes = var[is_gene]
    named, naming = _named_genes(genes)
    named = named.rename(columns={"_index": "index_in_file"})  # anndata cannot write a column of that name
    notes += naming
    if is_gene.all() and named.index.is_unique:
        return ReferenceGenes(named.copy(), notes, var.index)
    if not named.index.is_unique:
        notes.append(f"{describe_repeats(named.index)} in the reference; their counts were summed.")
    grouped = group_columns(named.index).tocoo()
    rows = np.flatnonzero(is_gene)[grouped.row]
    columns = sparse.csr_matrix((grouped.data, (rows, grouped.col)), shape=(len(var), grouped.shape[1]))
    return ReferenceGenes(named[~named.index.duplicated()].copy(), notes, var.index, columns)


def _genes_among(var: pd.DataFrame) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which features are genes, by their types or else by their names."""
    for column in (name for name in _TYPE_COLUMNS if name in var):
        types = var[column].astype(object).fillna("").astype(str)
        is_gene = types.str.lower().isin(_GENE_TYPES).to_numpy()
        if is_gene.any():
            is_gene |= (types == "").to_numpy()  # from a file without types
            found = types[~is_gene].value_counts()
            break
        if types.str.lower().isin(_OTHER_TYPES).all():
            msg = (
                f"The reference has no genes: its features are {', '.join(types.unique())}, by "
                f"var['{column}']. Give a file with gene expression."
            )
            raise FileFormatError(msg)
    else:
        names = var.index.to_series().astype(str)
        kinds = {kind: names.str.contains(pattern).to_numpy() for kind, pattern in _OTHER_NAMES.items()}
        is_gene = ~np.logical_or.reduce(list(kinds.values()))
        found = pd.Series({kind: matched.sum() for kind, matched in kinds.items() if matched.any()})
    if is_gene.all() or not is_gene.any():
        return np.ones(len(var), dtype=bool), []
    shown = ", ".join(f"{kind} ({n:,})" for kind, n in found.items())
    example = var.index[~is_gene][0]
    return is_gene, [f"Features that are not genes were left out: {shown}, for instance '{example}'."]


def _named_genes(var: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Replace the names of numbered genes by those in a column."""
    if not _is_numbering(var.index):
        return var, []
    possible = alias_columns(var)
    symbols = [column for column in possible if column in SYMBOL_COLUMNS]
    others = [column for column in possible if not var[column].astype(str).str.match(_ENSEMBL).mean() > 0.5]
    chosen = symbols[:1] or others or possible
    if not chosen:
        return var, []
    if len(chosen) > 1:
        note = (
            f"The genes of the reference are numbered, and several columns of var may hold their names: "
            f"{', '.join(chosen)}. The one that shares most genes with a bulk table is compared with it."
        )
        return var, [note]
    names = var[chosen[0]].astype(object)
    numbers = var.index.to_series().astype(object).to_numpy()
    names = names.where(names.notna() & (names != ""), numbers)
    note = f"The genes of the reference are numbered; their names were taken from var['{chosen[0]}']."
    return var.set_index(pd.Index(names.astype(str))), [note]


def _is_numbering(names: pd.Index) -> bool:
    """Whether names are 0, 1, 2, …, some of which may be missing; Entrez IDs are larger."""
    if not len(names) or not names.astype(str).str.fullmatch(r"\d{1,9}").all():
        return False
    numbers = names.astype(int)
    return bool(numbers.is_monotonic_increasing and numbers[-1] <= 5 * len(names))
