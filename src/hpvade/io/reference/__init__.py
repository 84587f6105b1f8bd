"""Labelled single-cell references: files, labels, features, and the search for counts."""

from __future__ import annotations

from ._counts import describe_non_counts
from ._file import ReferenceFile, ReferenceRun, count_cells, open_reference, read_reference
from ._labels import is_missing_label

__all__ = [
    "ReferenceFile",
    "ReferenceRun",
    "count_cells",
    "describe_non_counts",
    "is_missing_label",
    "open_reference",
    "read_reference",
]
