"""Expression over the model's genes → cell fractions and their covariance."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from hpvade.deconvolve._covariance import fraction_covariance
from hpvade.deconvolve._fit import FractionFit
from hpvade.pp import counts_to_cpm, restrict_to_genes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hpvade.deconvolve._config import DeconvolveConfig
    from hpvade.nn import HPVADENetwork
    from hpvade.pp import CellStates


class Estimate(NamedTuple):
    """Cell fractions p, (n_samples, n_types), and their covariance, (n_samples, n_types, n_types).

    ``states`` are the fractions of the states that the types consist of, (n_samples, n_states).
    """

    fractions: NDArray[np.float64]
    covariance: NDArray[np.float64]
    states: NDArray[np.float64]

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation of each fraction before calibration, (n_samples, n_types)."""
        return np.sqrt(self.covariance.diagonal(axis1=1, axis2=2))

    def updated(self, other: Estimate, *, where: NDArray[np.bool_]) -> Estimate:
        """Replace the samples of a mask, shape (n_samples,), by those of another estimate."""
        merged = []
        for mine, others in zip(self, other, strict=True):
            values = mine.copy()
            values[where] = others
            merged.append(values)
        return Estimate(*merged)

    def sum_groups(self, membership: NDArray[np.float64]) -> Estimate:
        """Sum types to groups by a matrix of 0 and 1, shape (n_types, n_groups)."""
        return Estimate(self.fractions @ membership, membership.T @ self.covariance @ membership, self.states)


class Estimator:
    """Estimates cell fractions by both paths of the model: the network, then the fit with it as prior.

    In the fit each type is a mixture of its states. Their shares start equal, because their shares in the
    reference are hardly informative about a sample.

    Parameters
    ----------
    network
        A trained network.
    measured
        Genes of the model that the samples have, shape (n_genes,).
    states
        States of the cell types, over the model's genes.
    content_sd
        Standard deviation of each type's log m, for the covariance, shape (n_types,).
    config
        How to fit.
    """

    def __init__(
        self,
        network: HPVADENetwork,
        *,
        measured: NDArray[np.bool_],
        states: CellStates,
        content_sd: NDArray[np.float64],
        config: DeconvolveConfig,
    ) -> None:
        exact = copy.deepcopy(network).double().eval()
        self.network = exact.deconvolution
        self.cell_type = torch.from_numpy(states.cell_type)
        self.genes = torch.from_numpy(measured)
        with torch.inference_mode():
            signature_cpm, rna_content = restrict_to_genes(
                torch.from_numpy(states.expand(exact.signature.cpm().numpy())),
                exact.signature.rna_content[self.cell_type],
                genes=self.genes,
            )
            self.shared: dict[str, Any] = {
                "signature_cpm": signature_cpm,
                "rna_content": rna_content,
                "trust": exact.deconvolution.trust[self.genes],
                "noise_floor": config.noise_floor,
                "outlier": config.outlier,
            }
            self.fit = (
                FractionFit(**self.shared, prior_strength=config.prior_strength) if config.fit else None
            )
        self.content_sd = torch.from_numpy(content_sd)

    def __call__(self, cpm: NDArray[np.floating], *, batch_size: int = 64) -> Estimate:
        """Estimate the fractions of each sample separately, in double precision.

        Parameters
        ----------
        cpm
            Shape (n_samples, n_genes), CPM over the model's genes, zero where not measured.
        batch_size
            Samples per step; affects memory, not the result.
        """
        with torch.inference_mode():
            blocks = torch.split(torch.from_numpy(np.asarray(cpm, dtype=np.float64)), batch_size)
            parts = zip(*map(self._estimate, blocks), strict=True)
            return Estimate(*(torch.cat(part).numpy() for part in parts))

    def _estimate(self, cpm: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p = self.network(cpm, self.genes.double()).mean(0)
        state_fractions = (p / self.cell_type.bincount())[:, self.cell_type]
        observed = counts_to_cpm(cpm[:, self.genes])
        if self.fit is not None:
            state_fractions = self.fit(observed, state_fractions)
            p = torch.zeros_like(p).index_add_(1, self.cell_type, state_fractions)
        covariance = fraction_covariance(
            observed,
            fractions=state_fractions,
            cell_type=self.cell_type,
            content_sd=self.content_sd,
            **self.shared,
        )
        return p / p.sum(1, keepdim=True), covariance, state_fractions
