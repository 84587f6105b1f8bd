"""Reading single-cell references and bulk tables into AnnData, and writing outputs safely."""

from __future__ import annotations

from ._files import read_anndata, write_h5ad
from ._genes import (
    SYMBOL_COLUMNS,
    GeneMatch,
    alias_columns,
    all_gene_names,
    ensembl_share,
    find_gene_match,
    match_genes,
    strip_ensembl_version,
)
from ._output import check_output_file, is_workspace, output_dir, output_file, real_path, sha256
from ._resumable import Unfinished
from ._small_table import read_text, read_text_table
from .bulk import BulkFile, bulk_problems, detect_unit, open_bulk, read_bulk, representative_runs
from .reference import (
    ReferenceFile,
    ReferenceRun,
    count_cells,
    describe_non_counts,
    is_missing_label,
    open_reference,
    read_reference,
)

__all__ = [
    "SYMBOL_COLUMNS",
    "BulkFile",
    "GeneMatch",
    "ReferenceFile",
    "ReferenceRun",
    "Unfinished",
    "alias_columns",
    "all_gene_names",
    "bulk_problems",
    "check_output_file",
    "count_cells",
    "describe_non_counts",
    "detect_unit",
    "ensembl_share",
    "find_gene_match",
    "is_missing_label",
    "is_workspace",
    "match_genes",
    "open_bulk",
    "open_reference",
    "output_dir",
    "output_file",
    "read_anndata",
    "read_bulk",
    "read_reference",
    "read_text",
    "read_text_table",
    "real_path",
    "representative_runs",
    "sha256",
    "strip_ensembl_version",
    "write_h5ad",
]
