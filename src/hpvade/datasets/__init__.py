"""Data that need no download, and readers of manifests that list data."""

from hpvade.datasets._embedded import invert_log_normalisation, pbmc68k_reduced
from hpvade.datasets._manifest import BulkEntry, Manifest, ReferenceEntry, read_manifest, scored_columns

__all__ = [
    "BulkEntry",
    "Manifest",
    "ReferenceEntry",
    "invert_log_normalisation",
    "pbmc68k_reduced",
    "read_manifest",
    "scored_columns",
]
