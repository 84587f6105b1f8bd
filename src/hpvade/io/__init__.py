"""Files in, AnnData out: single-cell references and bulk tables. Also safe places to write results."""

from __future__ import annotations

from ._bulk import read_bulk
from ._bulk_file import BulkFile, open_bulk, representative_runs
from ._counts import describe_if_no_counts
from ._genes import (
    ALIAS_COLUMNS,
    SYMBOL_COLUMNS,
    GeneMatch,
    all_gene_names,
    find_gene_match,
    match_genes,
    strip_ensembl_version,
)
from ._labels import is_missing_label
from ._output import PartialOutput, check_output_file, output_dir, output_file, partial_outputs, sha256
from ._reference import read_reference
from ._reference_file import ReferenceFile, ReferenceRun, n_cells_of, open_reference
from ._tables import read_text_table
from ._unfinished import unfinished
from ._units import detect_unit

__all__ = [
    "ALIAS_COLUMNS",
    "SYMBOL_COLUMNS",
    "BulkFile",
    "GeneMatch",
    "PartialOutput",
    "ReferenceFile",
    "ReferenceRun",
    "all_gene_names",
    "check_output_file",
    "describe_if_no_counts",
    "detect_unit",
    "find_gene_match",
    "is_missing_label",
    "match_genes",
    "n_cells_of",
    "open_bulk",
    "open_reference",
    "output_dir",
    "output_file",
    "partial_outputs",
    "read_bulk",
    "read_reference",
    "read_text_table",
    "representative_runs",
    "sha256",
    "strip_ensembl_version",
    "unfinished",
]
