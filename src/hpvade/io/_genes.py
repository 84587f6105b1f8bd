"""Gene names: versions, repeats, and the mapping between a bulk table's and a reference's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from hpvade import _keys as keys
from hpvade._warnings import DataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# GENCODE marks the second copy of a pseudoautosomal gene with _PAR_Y; it is the same gene.
_ENSEMBL_GENE = r"ENS[A-Z]*G\d+"
_ENSEMBL_VERSION = r"^(ENS[A-Z]*G\d+)\.\d+(?:_PAR_Y)?$"

SYMBOL_COLUMNS = (
    "feature_name",
    "gene_name",
    "gene_symbols",
    "gene_symbol",
    "gene_short_name",
    "hgnc_symbol",
    "symbol",
    "Symbol",
)
ALIAS_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "feature_id", *SYMBOL_COLUMNS)


def all_gene_names(var: pd.DataFrame) -> set[str]:
    """Return all names of genes: those of the rows, and those in columns of other names."""
    return set(var.index).union(*(var[column].dropna().astype(str) for column in alias_columns(var)))


def strip_ensembl_version(names: Iterable[str]) -> pd.Index:
    """Strip the version off Ensembl gene ids; other names stay as they are.

    Examples
    --------
    >>> list(strip_ensembl_version(["ENSG00000167286.10", "CD3D", "AC004.1"]))
    ['ENSG00000167286', 'CD3D', 'AC004.1']
    """
    return pd.Index(list(names), dtype=object).astype(str).str.replace(_ENSEMBL_VERSION, r"\1", regex=True)


def ensembl_share(names: Iterable[str]) -> float:
    """Share of names that are Ensembl IDs of genes; 0 without names."""
    index = pd.Index(list(names), dtype=str)
    return float(index.str.match(_ENSEMBL_GENE).mean()) if len(index) else 0.0


def group_columns(names: pd.Index) -> sparse.csr_matrix[np.float32]:
    """Return the 0/1 matrix, shape (names, distinct names), that sums columns with one name.

    The distinct names are in the order of their first occurrence.
    """
    groups, distinct = pd.factorize(names)
    ones = np.ones(len(names), dtype=np.float32)
    return sparse.csr_matrix((ones, (np.arange(len(names)), groups)), shape=(len(names), len(distinct)))


def combine_genes(x: NDArray[np.float64], names: pd.Index, *, averaged: bool) -> NDArray[np.float64]:
    """Sum or average columns with one name; the distinct names are in the order of their first occurrence."""
    groups = group_columns(names)
    n_columns = np.asarray(groups.sum(axis=0)).ravel()
    return np.asarray(x @ groups) / (n_columns if averaged else 1)


def describe_repeats(names: pd.Index) -> str:
    """Describe how many names occur more than once, with an example."""
    repeated = names[names.duplicated()].unique()
    found = "1 gene name occurs" if len(repeated) == 1 else f"{len(repeated)} gene names occur"
    return f"{found} more than once (for instance '{repeated[0]}')"


def with_known_case(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Replace names that equal known ones but for case by the known ones.

    >>> with_known_case(["CD3E", "Cd4", "X"], ["Cd3e", "Cd4"])
    ['Cd3e', 'Cd4', 'X']
    """
    known = set(known)
    by_case = {name.upper(): name for name in sorted(known, reverse=True)}
    return [name if name in known else by_case.get(name.upper(), name) for name in names]


def alias_columns(var: pd.DataFrame) -> list[str]:
    """Return the columns with other names of genes: those with a usual heading, and texts that hardly repeat.

    >>> alias_columns(pd.DataFrame({"gene_ids": ["ENSG1", "ENSG2"], "chr": ["1", "1"], "alias": ["A", "B"]}))
    ['gene_ids', 'alias']
    """
    usual = [column for column in ALIAS_COLUMNS if column in var]
    others = [str(column) for column in var if column not in usual and _hold_names(var[column])]
    return usual + others


def _hold_names(values: pd.Series) -> bool:
    present = values.dropna()
    kind = pd.api.types.infer_dtype(present.cat.categories if hasattr(present, "cat") else present)
    return kind == "string" and present.nunique() > len(values) / 2


def match_genes(bulk: AnnData, reference_var: pd.DataFrame) -> AnnData:
    """Rename the bulk's genes to the reference's names.

    Compares the bulk's names and its ``var["gene_name"]`` with the reference's names and each column of
    other names (`alias_columns`), Ensembl versions stripped on both sides, and uses the pair that shares most
    genes. Genes with the same new name are summed, or averaged as `hpvade.io.read_bulk`
    did; genes that are not in the reference keep their names.

    Parameters
    ----------
    bulk
        Samples × genes, linear values.
    reference_var
        The reference's genes: names in the index, other names in columns such as ``gene_ids``.

    Returns
    -------
    A new AnnData, samples × genes; ``uns["hpvade"]["gene_mapping"]`` records which pair was used.
    Unchanged if no pair shares any gene.
    """
    return find_gene_match(bulk.var, reference_var).renamed(bulk)


class GeneMatch(NamedTuple):
    """The reference's names of the genes of a bulk table; see `match_genes`.

    Attributes
    ----------
    names
        One name a gene of the bulk: the reference's, or its own if the reference lacks it. None if no gene is
        shared.
    mapping
        Which names or aliases were compared.
    n_shared
        How many genes they share.
    """

    names: pd.Index | None
    mapping: str
    n_shared: int

    def renamed(self, bulk: AnnData) -> AnnData:
        """Rename the genes of bulk samples; returns the same as `match_genes`."""
        if self.names is None:
            return bulk.copy()
        return _rename(bulk, self.names, mapping=self.mapping, n_shared=self.n_shared)


def find_gene_match(bulk_var: pd.DataFrame, reference_var: pd.DataFrame) -> GeneMatch:
    """Find the reference's names of a bulk table's genes, given its ``var``; see `match_genes`."""
    sources = {"names": bulk_var.index}
    if "gene_name" in bulk_var:
        sources["gene_name"] = pd.Index(bulk_var["gene_name"])
    targets = {"names": reference_var.index}
    targets |= {str(key): pd.Index(reference_var[key]) for key in alias_columns(reference_var)}
    known_names = {key: _alias_to_name(aliases, reference_var.index) for key, aliases in targets.items()}

    best = GeneMatch(None, "", 0)
    for source, bulk_names in sources.items():
        stripped = strip_ensembl_version(bulk_names)
        for target, known in known_names.items():
            n_shared = stripped.unique().isin(list(known)).sum()
            if n_shared > best.n_shared:
                names = [known.get(s, own) for s, own in zip(stripped, bulk_var.index, strict=True)]
                best = GeneMatch(pd.Index(names), f"bulk {source} = reference {target}", n_shared)
    return best


def _alias_to_name(aliases: pd.Index, names: pd.Index) -> dict[str, str]:
    """Map each alias to the reference's name; the first of several genes with one alias is taken."""
    present = aliases.notna() & (aliases != "")
    pairs = zip(strip_ensembl_version(aliases[present]), names[present].astype(str), strict=True)
    return dict(reversed(list(pairs)))


def _rename(bulk: AnnData, names: pd.Index, *, mapping: str, n_shared: int) -> AnnData:
    var = bulk.var.set_index(names)
    facts = dict(bulk.uns.get(keys.UNS, {}))
    how = facts.get("repeated_genes", "summed")
    renamed = AnnData(
        X=combine_genes(bulk.X, names, averaged=how == "averaged") if names.has_duplicates else bulk.X.copy(),
        obs=bulk.obs.copy(),
        var=var[~names.duplicated()],
        obsm={key: value.copy() for key, value in bulk.obsm.items()},
        uns=bulk.uns.copy(),
    )
    notes = [str(note) for note in facts.get("notes", [])]
    if not names.equals(bulk.var_names):
        notes.append(f"Genes were renamed to the reference's names: {mapping}, {n_shared} shared.")
    if names.has_duplicates:
        notes.append(f"{describe_repeats(names)} after renaming; their values were {how}.")
        warn(notes[-1], DataWarning, stacklevel=3)
    renamed.uns[keys.UNS] = {**facts, "gene_mapping": mapping, "notes": notes}
    return renamed
