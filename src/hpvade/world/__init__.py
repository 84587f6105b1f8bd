"""Public profiles of cells and tissues: what a sample may hold that its reference lacks."""

from hpvade.world._profiles import World, read_world, shipped_world
from hpvade.world._translation import TranslatedWorld, translate

__all__ = ["TranslatedWorld", "World", "read_world", "shipped_world", "translate"]
