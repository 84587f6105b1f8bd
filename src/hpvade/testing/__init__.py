"""Tiny references and bulk tables, for the tests of hpvade and of packages that use it."""

from hpvade.testing._builders import tiny_bulk, tiny_reference

__all__ = ["tiny_bulk", "tiny_reference"]
