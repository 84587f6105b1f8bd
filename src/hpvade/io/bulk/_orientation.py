"""Which axis of a table is the genes, and which names are those of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from hpvade.io._genes import strip_ensembl_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

Orientation = Literal["genes x samples", "samples x genes"]

_GENE_HEADINGS: Final = {
    "gene", "genes", "gene_id", "geneid", "gene_name", "gene_symbol", "symbol", "ensembl_id", "hugo_symbol",
    "ensembl_gene_id", "hgnc_symbol", "id_ref", "probe", "probe_id", "probeset", "target_id", "tracking_id",
}  # fmt: skip
_SAMPLE_HEADINGS: Final = {"sample", "samples", "sample_id", "sampleid", "sample_name"}

# Genes that nearly every expression table of human, mouse or rat has.
_HOUSEKEEPING: Final = {
    "ACTB", "ACTG1", "ALB", "B2M", "CD3E", "CD4", "CD19", "CD68", "EEF1A1", "GAPDH", "GUSB", "HPRT1", "HPRT",
    "LDHA", "PGK1", "POLR2A", "PPIA", "PTPRC", "RPL13A", "RPLP0", "RPS18", "SDHA", "TBP", "TFRC", "TUBB",
    "UBC", "VIM", "YWHAZ",
}  # fmt: skip


def find_orientation(
    rows: pd.Index, columns: pd.Index, *, corner: str = "", genes: Iterable[str] | None = None
) -> tuple[Orientation, str]:
    """Find which axis of a table is the genes.

    The first of these in which the axes differ decides: the overlap with ``genes``; Ensembl ids; a heading
    of genes; widely expressed genes; a heading of samples; the longer axis (rows, if equal).

    Parameters
    ----------
    rows, columns
        Their names.
    corner
        The heading of the row names.
    genes
        Known gene names.

    Returns
    -------
    The orientation, and what decided it.
    """
    rows, columns = strip_ensembl_version(rows), strip_ensembl_version(columns)
    heading = corner.strip().lower()
    wanted = strip_ensembl_version([] if genes is None else genes)
    scores: list[tuple[str, float, float]] = [
        ("shared genes", rows.isin(wanted).sum(), columns.isin(wanted).sum()),
        ("Ensembl ids", _ensembl_share(rows) > 0.5, _ensembl_share(columns) > 0.5),
        ("heading", heading in _GENE_HEADINGS, False),
        ("well-known genes", count_housekeeping(rows), count_housekeeping(columns)),
        ("heading", False, heading in _SAMPLE_HEADINGS),
        ("longer axis", len(rows), len(columns)),
    ]
    for reason, in_rows, in_columns in scores:
        if in_rows != in_columns:
            return ("genes x samples" if in_rows > in_columns else "samples x genes"), reason
    return "genes x samples", "longer axis"


def _ensembl_share(names: pd.Index) -> float:
    return float(names.str.match(r"ENS[A-Z]*G\d+$").mean()) if len(names) else 0.0


def count_housekeeping(names: pd.Index) -> int:
    """Count the names that are well-known genes."""
    return int(names.str.upper().isin(_HOUSEKEEPING).sum())
