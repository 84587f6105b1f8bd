"""Names of genes in a bulk table: two names in one, and names of transcripts, probes and dates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from hpvade._errors import FileFormatError

from ._columns import NOT_GENES
from ._orientation import count_housekeeping

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ._source import Table

_MONTH = "jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sept?|set|oct|okt|nov|dec|dez|dic"
_DATE: Final = (
    rf"\d{{1,2}}[-./ ](?:{_MONTH})[a-z]*\.?(?:[-./ ]\d{{2,4}})?"
    rf"|(?:{_MONTH})[a-z]*[-./ ]\d{{1,4}}"
    r"|\d{4}-\d{2}-\d{2}(?:[ T]00:00:00)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)


_ENSEMBL = r"ENS[A-Z]*G\d+(?:\.\d+)?(?:_PAR_Y)?"
# Names that hold both names of a gene; the third is read only where the first part has genes that are known.
_COMPOUND: Final = (
    rf"ENS[A-Z]*T[\d.]+\|(?P<gene>{_ENSEMBL})\|[^|]*\|[^|]*\|[^|]*\|(?P<symbol>[^|]+)\|.*",
    rf"(?P<gene>{_ENSEMBL}|MSTRG\.\d+)(?:[|:;/_ ]|, ?)(?!PAR_Y)(?P<symbol>.+)",
    rf"(?P<symbol>.+?)(?:[|:;/_ ]|, ?)(?P<gene>{_ENSEMBL})",
)
_SYMBOL_AND_NUMBER: Final = r"(?P<gene>[^|]+)\|\d+"
_FIRST = 100  # names that are examined


def split_gene_names(table: Table, genes: Collection[str]) -> Table:
    """Split names such as ENSG00000075624|ACTB, on either axis, into names and second names of genes.

    Parameters
    ----------
    table
        Its genes may be in rows or in columns.
    genes
        Known gene names.
    """
    if table.orientation != "samples x genes" and (pattern := _compound(table.rows, genes)):
        names, known = _split(table, table.rows, pattern)
        return replace(table, rows=names, orientation="genes x samples", **known)
    if table.orientation != "genes x samples" and (pattern := _compound(table.columns, genes)):
        names, known = _split(table, table.columns, pattern)
        return replace(table, columns=names, orientation="samples x genes", **known)
    return table


def _compound(names: pd.Index, genes: Collection[str]) -> str:
    """Return the pattern that most names match; empty if there is none."""
    first = names[:_FIRST].astype(str)
    if found := next((known for known in _COMPOUND if first.str.fullmatch(known).mean() > 0.5), ""):
        return found
    symbols = first[first.str.fullmatch(_SYMBOL_AND_NUMBER)].str.replace(r"\|\d+$", "", regex=True)
    are_genes = 2 * len(symbols) > len(first) and (
        count_housekeeping(symbols) or symbols.isin(list(genes)).any()
    )
    return _SYMBOL_AND_NUMBER if are_genes else ""


def _split(table: Table, names: pd.Index, pattern: str) -> tuple[pd.Index, dict[str, Any]]:
    """Split names, and return those of the genes and other fields of the table."""
    names = names.astype(str)
    parts = names.to_series().str.extract(f"^{pattern}$")
    split = pd.Index(parts["gene"].fillna(names.to_series()).tolist())
    known: dict[str, Any] = {
        "notes": (*table.notes, f"Names such as '{names[0]}' were split; that gene is '{split[0]}'.")
    }
    if "symbol" in parts and table.gene_names is None:
        known["gene_names"] = parts["symbol"].fillna("")
    return split, known


def check_gene_names(path: Path, genes: pd.Index, *, gene_names: pd.Series | None) -> list[str]:
    """Check the names of genes, and return notes about those that are doubtful.

    Raises
    ------
    FileFormatError
        If they are names of transcripts.
    """
    notes = []
    dates = genes[genes.str.fullmatch(_DATE, case=False)]
    if len(dates):
        found = "1 gene name is a date" if len(dates) == 1 else f"{len(dates)} gene names are dates"
        notes.append(
            f"{found}, for instance '{dates[0]}'. Excel turns genes such as MARCH1 and SEPT2 into dates. "
            "These genes are lost, unless you correct their names."
        )
    if gene_names is not None:
        return notes
    if example := _mostly(genes, "transcripts"):
        msg = (
            f"{path} has transcripts such as '{example}' instead of genes. Sum them by gene with tximport, "
            "or add a column gene_id."
        )
        raise FileFormatError(msg)
    if example := _mostly(genes, "probes"):
        notes.append(
            f"The names are those of probes of a microarray, such as '{example}', not of genes. Add a column "
            "of gene symbols from the annotation of the array."
        )
    return notes


def _mostly(names: pd.Index, kind: str) -> str:
    """Return a name of this kind if most names are; otherwise nothing."""
    found = names.str.fullmatch(NOT_GENES[kind])
    return str(names[found][0]) if len(names) and found.mean() > 0.5 else ""
