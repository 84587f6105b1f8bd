"""Check that a bulk table and a reference share enough genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import GeneOverlapError
from hpvade.io import ensembl_share

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData

_MIN_SHARED = 100
_MIN_SHARE = 0.2


def check_overlap(
    bulk: AnnData, genes: Iterable[str], *, min_shared: int = _MIN_SHARED, owner: str = "the reference"
) -> ValidationReport:
    """Check that a bulk table has enough of the required genes.

    A fifth of the smaller of both sets is needed: a panel of selected genes is enough for a reference, and
    the expressed genes of a bulk table for an atlas that lists every gene.

    Parameters
    ----------
    bulk
        Samples × genes, its genes already matched to the reference's names.
    genes
        The genes of the reference, or of the model.
    min_shared
        How many the bulk must have.
    owner
        What the genes belong to, for the message.
    """
    required = pd.Index(list(genes), dtype=object).unique()
    present = bulk.var_names
    shared = int(required.isin(present).sum())
    share = shared / len(required) if len(required) else 0.0
    facts: dict[str, object] = {"shared_genes": shared, "shared_genes_share": share}
    needed = max(min_shared, round(_MIN_SHARE * min(len(required), len(present))))
    if shared >= needed:
        return ValidationReport(facts=facts)
    msg = (
        f"The bulk table has {shared:,} of the {len(required):,} genes of {owner}, and "
        f"{len(present) - shared:,} others; at least {needed:,} are needed. The bulk has gene names like "
        f"{_examples(present, required)}, {owner} like {_examples(required, present)}."
        f"{_hint(present, required)}"
    )
    return ValidationReport(errors=(Problem(GeneOverlapError, msg),), facts=facts)


def _examples(names: pd.Index, others: pd.Index) -> str:
    """Return three names, first those that the others lack."""
    lacking = names[~names.isin(others)]
    return ", ".join(f"'{name}'" for name in lacking.append(names.intersection(others))[:3])


def _hint(bulk: pd.Index, required: pd.Index) -> str:
    if (is_ensembl := ensembl_share(bulk) > 0.5) != (ensembl_share(required) > 0.5):
        ensembl, symbols = ("bulk", "reference") if is_ensembl else ("reference", "bulk")
        return (
            f" The {ensembl} seems to have Ensembl IDs and the {symbols} symbols. Add the other names to the "
            "reference as a column of var (gene_ids or gene_name), or to the bulk as a column gene_name."
        )
    n_shared = _shared_ignoring_case(bulk, required)
    if n_shared > 2 * required.isin(bulk).sum():
        return (
            f" {n_shared:,} names agree if case is ignored, as for human (CD3E) and mouse (Cd3e) genes. If "
            "both are of the same species, pass --ignore-case."
        )
    return " Check that both use the same gene names and are of the same species."


def _shared_ignoring_case(bulk: pd.Index, required: pd.Index) -> int:
    return int(required.astype(str).str.upper().isin(bulk.astype(str).str.upper()).sum())
