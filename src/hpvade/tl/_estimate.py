"""Expression over the model's genes → cell fractions and their covariance."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from hpvade.pp import counts_to_cpm, restrict_to_genes
from hpvade.tl._covariance import fraction_covariance
from hpvade.tl._fit import fit_fractions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpvade.nn import HPVADENetwork
    from hpvade.pp import CellStates
    from hpvade.tl._config import DeconvolveConfig


class Estimate(NamedTuple):
    """Cell fractions p, (n_samples, n_types), and their covariance, (n_samples, n_types, n_types)."""

    fractions: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation of each fraction before calibration, (n_samples, n_types)."""
        return np.sqrt(self.covariance.diagonal(axis1=1, axis2=2))

    def of_groups(self, membership: NDArray[np.float64]) -> Estimate:
        """Sum types to groups by a matrix of 0 and 1, shape (n_types, n_groups)."""
        return Estimate(self.fractions @ membership, membership.T @ self.covariance @ membership)


def estimate(
    network: HPVADENetwork,
    cpm: NDArray[np.floating],
    *,
    measured: NDArray[np.bool_],
    states: CellStates,
    content_sd: float,
    config: DeconvolveConfig,
    batch_size: int = 64,
) -> Estimate:
    """Answer samples by both paths of the model: the network first, then the fit with that answer as prior.

    In the fit each type is a mixture of its states, whose shares start out even: those of the reference say
    little about a sample. Each sample is answered by itself, in double precision.

    Parameters
    ----------
    network
        A trained network.
    cpm
        Shape (n_samples, n_genes), CPM over the model's genes, zero where not measured.
    measured
        Shape (n_genes,).
    states
        States of the cell types, over the same genes.
    content_sd
        Standard deviation of each type's log m, for the covariance.
    config
        How to fit.
    batch_size
        Samples per step; changes memory, never the result.
    """
    exact = copy.deepcopy(network).double().eval()
    cell_type = torch.from_numpy(states.cell_type)
    genes = torch.from_numpy(measured)
    fractions, covariances = [], []
    with torch.inference_mode():
        signature_cpm, content = restrict_to_genes(
            torch.from_numpy(states.signature(exact.signature.cpm().numpy())),
            exact.signature.rna_content[cell_type],
            genes=genes,
        )
        shared: dict[str, Any] = {
            "signature_cpm": signature_cpm,
            "rna_content": content,
            "trust": exact.deconvolution.trust[genes],
            "noise_floor": config.noise_floor,
            "outlier": config.outlier,
        }
        for start in range(0, len(cpm), batch_size):
            block = torch.from_numpy(cpm[start : start + batch_size]).double()
            p = exact.deconvolution(block, genes.double()).mean(0)
            of_states = (p / cell_type.bincount())[:, cell_type]
            seen = counts_to_cpm(block[:, genes])
            if config.fit:
                of_states = fit_fractions(
                    seen, prior=of_states, prior_strength=config.prior_strength, **shared
                )
                p = torch.zeros_like(p).index_add_(1, cell_type, of_states)
            covariance = fraction_covariance(
                seen, fractions=of_states, cell_type=cell_type, content_sd=content_sd, **shared
            )
            fractions.append((p / p.sum(1, keepdim=True)).numpy())
            covariances.append(covariance.numpy())
    return Estimate(np.concatenate(fractions), np.concatenate(covariances))
