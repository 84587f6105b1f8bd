"""Tiny references and bulk tables, for these tests and for those of downstream users."""

from hpvade.testing._builders import tiny_bulk, tiny_reference

__all__ = ["tiny_bulk", "tiny_reference"]
