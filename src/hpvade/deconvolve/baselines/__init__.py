"""Deconvolution without training, for comparison with HP-VADE: one file per method, collected here."""

from hpvade.deconvolve.baselines._em import METHOD as _EM
from hpvade.deconvolve.baselines._em import mixture_em
from hpvade.deconvolve.baselines._mean import METHOD as _MEAN
from hpvade.deconvolve.baselines._mean import mean_fractions
from hpvade.deconvolve.baselines._method import BaselineData, Method
from hpvade.deconvolve.baselines._nnls import METHOD as _NNLS
from hpvade.deconvolve.baselines._nnls import weighted_nnls
from hpvade.deconvolve.baselines._svr import METHOD as _SVR
from hpvade.deconvolve.baselines._svr import nu_svr

METHODS: dict[str, Method] = {method.key: method for method in (_MEAN, _NNLS, _EM, _SVR)}

__all__ = [
    "METHODS",
    "BaselineData",
    "mean_fractions",
    "mixture_em",
    "nu_svr",
    "weighted_nnls",
]
