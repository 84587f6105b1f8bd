"""Names of genes in a bulk table that are none: transcripts, probes, and what Excel made of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hpvade._errors import FileFormatError

from ._columns import NOT_GENES

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_MONTH = "jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sept?|set|oct|okt|nov|dec|dez|dic"
_DATE: Final = (
    rf"\d{{1,2}}[-./ ](?:{_MONTH})[a-z]*\.?(?:[-./ ]\d{{2,4}})?"
    rf"|(?:{_MONTH})[a-z]*[-./ ]\d{{1,4}}"
    r"|\d{4}-\d{2}-\d{2}(?:[ T]00:00:00)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
)


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
