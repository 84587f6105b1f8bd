"""Tools on bulk samples: deconvolution with a trained network, and baselines to stand beside it."""

from hpvade.tl import baselines
from hpvade.tl._deconvolve import Deconvolution, deconvolve

__all__ = ["Deconvolution", "baselines", "deconvolve"]
