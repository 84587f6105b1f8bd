"""Tools on bulk AnnData objects: the functions that scverse users expect, around a trained model."""

from hpvade.tl._deconvolve import deconvolve, sum_types
from hpvade.tl._expression import expression
from hpvade.tl._latent import latent

__all__ = ["deconvolve", "expression", "latent", "sum_types"]
