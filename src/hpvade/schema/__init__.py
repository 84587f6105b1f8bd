"""Checks of a reference, of bulk samples, and of the two together: one report of all problems."""

from __future__ import annotations

from ._bulk import check_bulk
from ._overlap import check_overlap
from ._reference import check_counts, check_reference
from ._report import Problem, ValidationReport

__all__ = [
    "Problem",
    "ValidationReport",
    "check_bulk",
    "check_counts",
    "check_overlap",
    "check_reference",
]
