"""Files in, AnnData out: single-cell references and bulk tables. Also safe places to write results."""

from __future__ import annotations

from ._bulk import read_bulk
from ._genes import ALIAS_COLUMNS, SYMBOL_COLUMNS, match_genes, strip_ensembl_version
from ._labels import is_missing_label
from ._output import output_dir, output_file, sha256
from ._reference import read_reference
from ._results import read_fractions, write_fractions, write_signature

__all__ = [
    "ALIAS_COLUMNS",
    "SYMBOL_COLUMNS",
    "is_missing_label",
    "match_genes",
    "output_dir",
    "output_file",
    "read_bulk",
    "read_fractions",
    "read_reference",
    "sha256",
    "strip_ensembl_version",
    "write_fractions",
    "write_signature",
]
