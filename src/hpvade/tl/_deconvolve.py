"""Bulk samples → cell fractions, RNA fractions and quality of fit."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.metrics import pearson
from hpvade.pp import (
    CellStates,
    Signature,
    counts_to_cpm,
    cpm_to_log,
    expression_of,
    restrict_to_genes,
    rna_fractions,
)
from hpvade.tl._config import DeconvolveConfig
from hpvade.tl._fit import fit_fractions

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.nn import HPVADENetwork

_FEW_GENES = 0.5  # share of the model's genes below which a sample is flagged
_POOR_FIT = 0.5  # correlation of S·r with the sample below which it is flagged


@dataclass(frozen=True, slots=True)
class Deconvolution:
    """The answer for a table of bulk samples.

    Attributes
    ----------
    fractions
        Cell fractions p, samples × cell types; rows sum to 1.
    rna_fractions
        RNA fractions r, samples × cell types; rows sum to 1.
    qc
        Per sample: `genes_used`, `gene_overlap`, `unit_detected`, `reconstruction_r`, `flags`.
    """

    fractions: pd.DataFrame
    rna_fractions: pd.DataFrame
    qc: pd.DataFrame


def deconvolve(
    network: HPVADENetwork,
    bulk: AnnData,
    *,
    signature: Signature,
    states: CellStates,
    config: DeconvolveConfig | None = None,
    batch_size: int = 64,
) -> Deconvolution:
    """Estimate the cell fractions of bulk samples.

    Both paths of the model answer: the deconvolution network gives a first p, and the reconstruction S·r is
    fitted to the sample with that p as prior. In the fit each type is a mixture of its states, whose shares
    start out even: those of the reference say little about a sample. Each sample is answered by itself, in
    double precision: its neighbours, their order, the order of genes and the scale of a sample do not matter.

    Parameters
    ----------
    network
        A trained network.
    bulk
        Samples × genes, linear expression, genes named as in ``signature.genes``. Genes that are not in the
        model tell only the background; genes of the model that are missing count as not measured.
    signature
        The signature the network was made with: its genes, cell types and RNA content.
    states
        States of the cell types, over the same genes.
    config
        Background and fit.
    batch_size
        Samples per step; changes memory, never the result.

    Raises
    ------
    InputError
        A sample has no expression in the model's genes; it is named.
    """
    config = config or DeconvolveConfig()
    genes = pd.Index(signature.genes)
    measured = genes.isin(bulk.var_names)
    cpm = _model_cpm(bulk, genes=genes, measured=measured, signature=signature, config=config)
    exact = copy.deepcopy(network).double().eval()
    mask = torch.from_numpy(measured.astype(np.float64))
    estimates, fits = [], []
    with torch.inference_mode():
        for start in range(0, len(cpm), batch_size):
            block = torch.from_numpy(cpm[start : start + batch_size])
            p = exact.deconvolution(block, mask).mean(0)
            if config.fit:
                p = _fit_measured(
                    block, exact, states=states, prior=p, measured=torch.from_numpy(measured), config=config
                )
            observed, expected = cpm_to_log(block), cpm_to_log(exact.signature.mix(p))
            estimates.append(p.numpy())
            fits += [
                pearson(expected[i, measured].numpy(), observed[i, measured].numpy()) for i in range(len(p))
            ]
    fractions = np.concatenate(estimates)
    fractions /= fractions.sum(1, keepdims=True)
    columns = list(signature.cell_types)
    return Deconvolution(
        fractions=pd.DataFrame(fractions, index=bulk.obs_names, columns=columns),
        rna_fractions=pd.DataFrame(
            rna_fractions(fractions, signature.rna_content_all), index=bulk.obs_names, columns=columns
        ),
        qc=_quality(bulk, measured=measured, reconstruction_r=np.array(fits)),
    )


def _fit_measured(
    cpm: torch.Tensor,
    network: HPVADENetwork,
    *,
    states: CellStates,
    prior: torch.Tensor,
    measured: torch.Tensor,
    config: DeconvolveConfig,
) -> torch.Tensor:
    """Fit the states of all types over the measured genes, and add them up by type."""
    type_of_state = torch.from_numpy(states.cell_type)
    member = torch.nn.functional.one_hot(type_of_state, prior.shape[1]).to(prior.dtype)
    signature_cpm, content = restrict_to_genes(
        torch.from_numpy(states.signature(network.signature.cpm().numpy())),
        network.signature.rna_content[type_of_state],
        genes=measured,
    )
    fitted = fit_fractions(
        counts_to_cpm(cpm[:, measured]),
        signature_cpm=signature_cpm,
        rna_content=content,
        trust=network.deconvolution.trust[measured],
        prior=(prior / member.sum(0))[:, type_of_state],
        prior_strength=config.prior_strength,
        noise_floor=config.noise_floor,
        outlier=config.outlier,
    )
    return fitted @ member


def _model_cpm(
    bulk: AnnData,
    *,
    genes: pd.Index,
    measured: NDArray[np.bool_],
    signature: Signature,
    config: DeconvolveConfig,
) -> NDArray[np.float64]:
    """Bulk over the model's genes, CPM, zero where not measured.

    The measured genes share out what they hold in an even mixture of the types, not the whole million;
    otherwise a table that lacks genes would look more highly expressed in all others.
    """
    linear = expression_of(bulk, genes[measured], subtract_background=config.subtract_background)
    empty = bulk.obs_names[linear.sum(1) <= 0]
    if len(empty):
        msg = (
            f"Sample '{empty[0]}' has no expression above its background in any of the model's genes. "
            "Remove the sample, or check its values and gene names."
        )
        raise InputError(msg)
    cpm = np.zeros((bulk.n_obs, len(genes)))
    share = signature.cpm.mean(1)[measured].sum() / signature.cpm.mean(1).sum()
    cpm[:, measured] = counts_to_cpm(linear) * share
    return cpm


def _quality(
    bulk: AnnData, *, measured: NDArray[np.bool_], reconstruction_r: NDArray[np.float64]
) -> pd.DataFrame:
    flags = np.where(reconstruction_r < _POOR_FIT, "poor_fit", "")
    if measured.mean() < _FEW_GENES:
        flags = np.array([";".join(filter(None, ["few_genes", flag])) for flag in flags])
    return pd.DataFrame(
        {
            "genes_used": int(measured.sum()),
            "gene_overlap": float(measured.mean()),
            "unit_detected": bulk.uns.get(_keys.UNS, {}).get("unit", "not checked"),
            "reconstruction_r": reconstruction_r,
            "flags": flags,
        },
        index=bulk.obs_names,
    )
