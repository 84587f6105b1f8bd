"""Deconvolution without training: the rows that stand beside HP-VADE in every comparison."""

from __future__ import annotations

from dataclasses import dataclass

from hpvade.deconvolve.baselines._em import mixture_em
from hpvade.deconvolve.baselines._input import BaselineFractions
from hpvade.deconvolve.baselines._mean import mean_fractions
from hpvade.deconvolve.baselines._nnls import weighted_nnls
from hpvade.deconvolve.baselines._svr import nu_svr


@dataclass(frozen=True, kw_only=True)
class Method:
    """One line about a method, for tables and reports."""

    name: str
    description: str
    reference: str


METHODS: dict[str, Method] = {
    "mean": Method(
        name="mean training fraction",
        description="The same answer for every sample: the mean fractions of the training mixtures.",
        reference="the constant predictor; a method that does not beat it has learnt nothing",
    ),
    "nnls": Method(
        name="weighted NNLS",
        description="Non-negative least squares on the signature, genes weighted by inverse expression.",
        reference="Wang et al. 2019 (MuSiC), doi:10.1038/s41467-018-08023-x; "
        "Tsoucas et al. 2019 (DWLS), doi:10.1038/s41467-019-10802-z",
    ),
    "em": Method(
        name="multinomial mixture EM",
        description="Maximum likelihood of the signature mixture under multinomial counts.",
        reference="Hu & Chikina 2024 (InstaPrism), doi:10.1093/bioinformatics/btae440; "
        "Chu et al. 2022 (BayesPrism), doi:10.1038/s43018-022-00356-3",
    ),
    "svr": Method(
        name="nu-SVR",
        description="Linear support vector regression on the standardised signature, best of three nu.",
        reference="Newman et al. 2015 (CIBERSORT), doi:10.1038/nmeth.3337",
    ),
}

__all__ = [
    "METHODS",
    "BaselineFractions",
    "Method",
    "mean_fractions",
    "mixture_em",
    "nu_svr",
    "weighted_nnls",
]
