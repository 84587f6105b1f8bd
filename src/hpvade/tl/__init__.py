"""Tools on bulk samples: deconvolution with a trained network, and baselines to stand beside it."""

from hpvade.tl import baselines
from hpvade.tl._config import DeconvolveConfig
from hpvade.tl._deconvolve import Deconvolution, deconvolve
from hpvade.tl._fit import fit_fractions

__all__ = ["Deconvolution", "DeconvolveConfig", "baselines", "deconvolve", "fit_fractions"]
