"""Bulk tables: recognising formats, columns, numbers, orientation and units."""

from __future__ import annotations

from ._file import BulkFile, bulk_problems, open_bulk, read_bulk, representative_runs
from ._units import detect_unit

__all__ = [
    "BulkFile",
    "bulk_problems",
    "detect_unit",
    "open_bulk",
    "read_bulk",
    "representative_runs",
]
