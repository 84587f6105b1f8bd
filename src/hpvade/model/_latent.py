"""Where the VAE places cells and prototypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.pp import counts_to_log, cpm_to_log

if TYPE_CHECKING:
    from anndata import AnnData

    from hpvade.model._trained import TrainedModel

_BLOCK = 4_096  # cells that are dense at a time


class Latent(NamedTuple):
    """Positions in the latent space.

    Attributes
    ----------
    cells
        Cells × latent dimensions: means μ of the posterior.
    prototypes
        Cell types × latent dimensions: μ of the prototypes, which are the columns of the learned S.
    """

    cells: pd.DataFrame
    prototypes: pd.DataFrame


def latent(trained: TrainedModel, cells: AnnData) -> Latent:
    """Encode cells and the model's prototypes.

    Parameters
    ----------
    trained
        The model.
    cells
        Cells × genes, raw counts in ``layers["counts"]``, genes named as in the reference of the model.

    Raises
    ------
    InputError
        The counts or a gene of the model are missing.
    """
    network = trained.network
    log = _log_space(cells, trained.genes)
    positions = [np.empty((0, network.config.n_latent), np.float32)]
    with torch.inference_mode():
        for start in range(0, log.shape[0], _BLOCK):
            dense = log[start : start + _BLOCK].toarray().astype(np.float32, copy=False)
            positions.append(network.encoder(torch.from_numpy(dense))[0].numpy())
        prototypes = network.encoder(cpm_to_log(network.signature.cpm().T))[0].numpy()
    dimensions = [f"z{i + 1}" for i in range(network.config.n_latent)]
    types = pd.Index(trained.cell_types, name=_keys.CELL_TYPE)
    return Latent(
        pd.DataFrame(np.concatenate(positions), index=cells.obs_names, columns=dimensions),
        pd.DataFrame(prototypes, index=types, columns=dimensions),
    )


def _log_space(cells: AnnData, genes: tuple[str, ...]) -> sp.csr_matrix:
    """Return what the VAE reads: cells × the model's genes, log space over these genes."""
    if _keys.COUNTS not in cells.layers:
        msg = f"The reference has no layer '{_keys.COUNTS}' with raw counts. Use hpvade.io.read_reference."
        raise InputError(msg)
    if missing := [gene for gene in genes if gene not in cells.var_names]:
        msg = (
            f"The reference lacks {len(missing)} of the model's {len(genes)} genes, the first is "
            f"'{missing[0]}'. Use the gene names of the model's reference."
        )
        raise InputError(msg)
    return counts_to_log(sp.csr_matrix(cells[:, list(genes)].layers[_keys.COUNTS]))
