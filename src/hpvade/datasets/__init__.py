"""Data that need no download."""

from hpvade.datasets._embedded import invert_log_normalisation, pbmc68k_reduced

__all__ = ["invert_log_normalisation", "pbmc68k_reduced"]
