"""Public profiles of cells and tissues: what a sample may hold that its reference lacks."""

from hpvade.world._profiles import World, read_world, shipped_world
from hpvade.world._rna_content import ExpectedContent, expected_content
from hpvade.world._translation import TranslatedWorld, translate

__all__ = [
    "ExpectedContent",
    "TranslatedWorld",
    "World",
    "expected_content",
    "read_world",
    "shipped_world",
    "translate",
]
