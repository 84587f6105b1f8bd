"""Which axis of a bulk table is the genes'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._genes import strip_ensembl_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from ._tables import Orientation, Table

_GENE_HEADINGS = {
    "gene", "genes", "gene_id", "geneid", "gene_name", "gene_symbol", "symbol", "ensembl_id", "hugo_symbol",
}  # fmt: skip
_SAMPLE_HEADINGS = {"sample", "samples", "sample_id", "sampleid", "sample_name"}

# Genes that nearly every expression table of man, mouse or rat holds.
_HOUSEKEEPING = {
    "ACTB", "ACTG1", "ALB", "B2M", "CD3E", "CD4", "CD19", "CD68", "EEF1A1", "GAPDH", "GUSB", "HPRT1", "HPRT",
    "LDHA", "PGK1", "POLR2A", "PPIA", "PTPRC", "RPL13A", "RPLP0", "RPS18", "SDHA", "TBP", "TFRC", "TUBB",
    "UBC", "VIM", "YWHAZ",
}  # fmt: skip


def orient(table: Table, *, genes: Iterable[str] | None) -> tuple[pd.DataFrame, Orientation, str]:
    """Turn a table to samples × genes.

    The first of these that tells the axes apart decides: the format; the overlap with ``genes``; the
    heading of the row names; Ensembl ids; widely expressed genes; the longer axis (rows, if equal).

    Returns
    -------
    The values, samples × genes; the orientation in the file; and what decided it.
    """
    if table.orientation is not None:
        orientation, reason = table.orientation, "format"
    else:
        orientation, reason = _recognise(table, known=genes)
    values = table.values.T if orientation == "genes x samples" else table.values
    return values, orientation, reason


def _recognise(table: Table, *, known: Iterable[str] | None) -> tuple[Orientation, str]:
    rows, columns = strip_ensembl_version(table.values.index), strip_ensembl_version(table.values.columns)
    heading = table.corner.strip().lower()
    wanted = strip_ensembl_version([] if known is None else known)
    scores: dict[str, tuple[float, float]] = {
        "shared genes": (rows.isin(wanted).sum(), columns.isin(wanted).sum()),
        "heading": (heading in _GENE_HEADINGS, heading in _SAMPLE_HEADINGS),
        "Ensembl ids": (_ensembl_share(rows) > 0.5, _ensembl_share(columns) > 0.5),
        "well-known genes": (_housekeeping(rows), _housekeeping(columns)),
        "longer axis": (len(rows), len(columns)),
    }
    for reason, (in_rows, in_columns) in scores.items():
        if in_rows != in_columns:
            return ("genes x samples" if in_rows > in_columns else "samples x genes"), reason
    return "genes x samples", "longer axis"


def _ensembl_share(names: pd.Index) -> float:
    return float(names.str.match(r"ENS[A-Z]*G\d+$").mean()) if len(names) else 0.0


def _housekeeping(names: pd.Index) -> int:
    return int(names.str.upper().isin(_HOUSEKEEPING).sum())
