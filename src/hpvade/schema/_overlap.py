"""What must be true of a bulk table and a reference together: they share genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hpvade._errors import GeneOverlapError

from ._report import Problem, ValidationReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData

_MIN_SHARED = 100
_MIN_SHARE = 0.2


def check_overlap(
    bulk: AnnData, genes: Iterable[str], *, fewest: int = _MIN_SHARED, whose: str = "the reference"
) -> ValidationReport:
    """Check that a bulk table holds enough of the wanted genes.

    Parameters
    ----------
    bulk
        Samples × genes, its genes already matched to the reference's names.
    genes
        The genes of the reference, or of the model.
    fewest
        How many must be shared.
    whose
        Whose genes they are, for the message.
    """
    wanted = pd.Index(list(genes), dtype=object).unique()
    there = bulk.var_names
    shared = int(wanted.isin(there).sum())
    share = shared / len(wanted) if len(wanted) else 0.0
    facts: dict[str, object] = {"shared_genes": shared, "shared_genes_share": share}
    if shared >= fewest and share >= _MIN_SHARE:
        return ValidationReport(facts=facts)
    msg = (
        f"The bulk holds {shared} of {whose}'s {len(wanted)} genes ({share:.1%}); at least "
        f"{fewest} and {_MIN_SHARE:.0%} are needed. The bulk has names like {_examples(there, wanted)}, "
        f"{whose} like {_examples(wanted, there)}.{_hint(there, wanted)}"
    )
    return ValidationReport(errors=(Problem(GeneOverlapError, msg),), facts=facts)


def _examples(names: pd.Index, others: pd.Index) -> str:
    """Return three names, those that the other side lacks first."""
    lacking = names[~names.isin(others)]
    return ", ".join(f"'{name}'" for name in lacking.append(names.intersection(others))[:3])


def _hint(bulk: pd.Index, wanted: pd.Index) -> str:
    if _are_ensembl(bulk) != _are_ensembl(wanted):
        ensembl, symbols = ("bulk", "reference") if _are_ensembl(bulk) else ("reference", "bulk")
        return (
            f" The {ensembl} seems to have Ensembl ids and the {symbols} symbols: add the other names to the "
            "reference as a column of var (gene_ids or gene_name), or to the bulk as a column gene_name."
        )
    if _shared_ignoring_case(bulk, wanted) > 2 * wanted.isin(bulk).sum():
        return (
            " The names agree if case is ignored, as between human (CD3E) and mouse (Cd3e): "
            "check that both are of one species. If a table of human genes lost its capitals, write them so."
        )
    return " Check that both name genes alike and are of one species."


def _are_ensembl(names: pd.Index) -> bool:
    return bool(len(names)) and float(names.astype(str).str.match(r"ENS[A-Z]*G\d+").mean()) > 0.5


def _shared_ignoring_case(bulk: pd.Index, wanted: pd.Index) -> int:
    return int(wanted.astype(str).str.upper().isin(bulk.astype(str).str.upper()).sum())
