"""Titles of stages, units and facts about the data, as the terminal and the page show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STAGE_TITLES: Final = {
    "read": "Reading the files",
    "checksums": "Computing checksums",
    "prepare": "Preparing the reference",
    "train": "Training the model",
    "deconvolve": "Estimating the fractions",
    "expression": "Estimating the expression of each cell type",
    "report": "Writing the report",
    "estimate": "Estimating with each method",
    "results": "Writing the results",
}
UNIT_TITLES: Final = {
    "auto": "detect automatically",
    "counts": "counts",
    "tpm": "TPM",
    "tpm/cpm": "TPM or CPM",
    "cpm": "CPM",
    "fpkm": "FPKM",
    "log2": "log2-transformed",
    "ln": "log-transformed, base e",
    "log10": "log10-transformed",
    "microarray": "microarray intensity",
}
_FACT_TITLES: Final = {
    "n_cells": "Cells",
    "n_cells_kept": "Cells kept in memory",
    "n_genes": "Genes in the reference",
    "counts_found_in": "Counts found in",
    "median_counts_per_cell": "Median counts per cell",
    "cell_types": "Cell types",
    "donors": "Donors",
    "model_cell_types": "Cell types in the model",
    "model_genes": "Genes in the model",
    "shared_genes": "Shared genes",
    "shared_genes_share": "Reference genes in the bulk table",
    "n_samples": "Bulk samples",
    "n_bulk_genes": "Genes in the bulk table",
    "unit": "Bulk unit",
    "unit_given_or_detected": "Unit source",
    "orientation": "Table orientation",
    "format": "Table format",
}


def described_facts(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return titles and texts of the facts that are known; a mapping of names to numbers stays a mapping."""
    known = {name: fact for name, fact in facts.items() if fact is not None and fact != "unknown"}
    return [
        (_FACT_TITLES.get(name, name.replace("_", " ")), _text(name, fact)) for name, fact in known.items()
    ]


def _text(name: str, fact: Any) -> Any:  # noqa: ANN401 - what a report contains
    if name == "unit":
        return UNIT_TITLES.get(fact, fact)
    if name == "orientation":
        return fact.replace(" x ", " \N{MULTIPLICATION SIGN} ")
    if name.endswith("_share"):
        return f"{fact:.1%}"
    if isinstance(fact, int | float):
        return f"{fact:,.0f}"
    if isinstance(fact, dict):
        return {key: f"{n:,}" for key, n in fact.items()}
    return fact
