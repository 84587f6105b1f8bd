"""The embedded reference, and the reader of manifests, which list references and bulk data sets."""

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
