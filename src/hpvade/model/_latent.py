"""Where the VAE puts cells and prototypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch

from hpvade import _keys
from hpvade.pp import cpm_to_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from hpvade.nn import HPVADENetwork

_BLOCK = 4_096  # cells that are dense at a time


class Latent(NamedTuple):
    """Places in the latent space.

    Attributes
    ----------
    cells
        Cells × latent dimensions: means μ of the posterior.
    prototypes
        Cell types × latent dimensions: μ of the prototypes, which are the columns of the learned S.
    """

    cells: pd.DataFrame
    prototypes: pd.DataFrame


def latent(network: HPVADENetwork, cells: AnnData, *, cell_types: Sequence[str]) -> Latent:
    """Encode cells and the network's prototypes.

    Parameters
    ----------
    network
        The network; it is left in evaluation mode.
    cells
        Cells × the model's genes, ``X`` in log space over these genes, CSR.
    cell_types
        Names of the columns of S.
    """
    network.eval()
    places = [np.empty((0, network.config.n_latent), np.float32)]
    with torch.inference_mode():
        for start in range(0, cells.n_obs, _BLOCK):
            dense = cells.X[start : start + _BLOCK].toarray().astype(np.float32, copy=False)
            places.append(network.encoder(torch.from_numpy(dense))[0].numpy())
        prototypes = network.encoder(cpm_to_log(network.signature.cpm().T))[0].numpy()
    dimensions = [f"z{i + 1}" for i in range(network.config.n_latent)]
    return Latent(
        pd.DataFrame(np.concatenate(places), index=cells.obs_names, columns=dimensions),
        pd.DataFrame(prototypes, index=pd.Index(cell_types, name=_keys.CELL_TYPE), columns=dimensions),
    )
