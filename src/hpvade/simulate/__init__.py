"""Simulated bulk: labelled mixtures of reference cells."""

from hpvade.simulate._config import SimulateConfig
from hpvade.simulate._dataset import simulate
from hpvade.simulate._effects import (
    add_depth_noise,
    add_effects,
    add_platform_effect,
    add_unseen_platform_effects,
)
from hpvade.simulate._fractions import draw_fractions
from hpvade.simulate._mixtures import draw_mixtures

__all__ = [
    "SimulateConfig",
    "add_depth_noise",
    "add_effects",
    "add_platform_effect",
    "add_unseen_platform_effects",
    "draw_fractions",
    "draw_mixtures",
    "simulate",
]
