"""Prepared reference → trained model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from hpvade import _keys
from hpvade._random import child_rng
from hpvade.deconvolve import calibrate, validate_on_mixtures
from hpvade.model._provenance import model_provenance
from hpvade.model._trained import TrainedModel
from hpvade.nn import HPVADENetwork
from hpvade.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from hpvade.model._config import HPVADEConfig
    from hpvade.model._prepare import PreparedReference
    from hpvade.pp import Hierarchy, Signature
    from hpvade.train import Row, TrainerOptions

_N_VALIDATION = 200  # mixtures to validate a trained model on


class Training(NamedTuple):
    """What training returns.

    Attributes
    ----------
    trained
        The model.
    history
        One row per epoch with all losses, those of earlier trainings first.
    finished
        Whether training ran to its end; False after Ctrl-C.
    fractions
        Cell fractions of the training mixtures, shape (n_mixtures, n_types).
    """

    trained: TrainedModel
    history: pd.DataFrame
    finished: bool
    fractions: NDArray[np.float32]


def train(
    prepared: PreparedReference,
    *,
    config: HPVADEConfig,
    settings: dict[str, Any],
    earlier: TrainedModel | None = None,
    history: pd.DataFrame | None = None,
    on_epoch: Callable[[Row], None] | None = None,
    options: TrainerOptions | None = None,
) -> Training:
    """Simulate mixtures, train on them, then calibrate and validate on mixtures of held-out cells.

    Parameters
    ----------
    prepared
        As `prepare` returns it.
    config
        All settings.
    settings
        Label and donor column, seed and preset, to keep with the model.
    earlier
        A model to train further; it is left as it is.
    history
        Its history; epochs are numbered on from it.
    on_epoch
        Called with each new row of the history.
    options
        Hardware and TensorBoard.

    Raises
    ------
    NonFiniteLossError
        A loss became NaN or infinite.
    """
    # Lightning takes seconds to import.
    from hpvade.train import MixtureData, SplitData, fit  # noqa: PLC0415

    seed = settings["seed"]
    network = _new_network(prepared, config, seed=seed) if earlier is None else copy.deepcopy(earlier.network)
    training, heldout = (
        SplitData.draw(prepared.cells, split=split, config=config.simulate, seed=seed)
        for split in (_keys.TRAIN, _keys.HELDOUT)
    )
    network.deconvolution.center.copy_(torch.from_numpy(training.mean_log()))
    result = fit(
        network,
        MixtureData(
            training, heldout, effects=config.simulate, batch_size=config.train.batch_size, seed=seed
        ),
        config=config.train,
        weights=config.loss,
        seed=seed,
        earlier=history,
        on_epoch=on_epoch,
        options=options,
    )
    rng = child_rng(seed, "calibration")
    tested: dict[str, Any] = {
        "states": prepared.states,
        "content_sd": prepared.signature.content_sd,
        "config": config.deconvolve,
    }
    chosen = slice(config.deconvolve.n_calibration)
    calibration = calibrate(
        validate_on_mixtures(network, heldout.mixtures[chosen], heldout.fractions[chosen], rng=rng, **tested),
        hierarchy=prepared.hierarchy,
    )
    unseen = simulate(
        prepared.cells,
        config=config.simulate.model_copy(update={"n_heldout": _N_VALIDATION}),
        split=_keys.HELDOUT,
        effects=False,
        seed=seed + 1,
    )
    truth = unseen.obsm[_keys.FRACTIONS]
    validation = validate_on_mixtures(
        network, unseen.X, truth.to_numpy(), rng=child_rng(seed, "trial"), **tested
    )
    trained = TrainedModel(
        network=network,
        reference_signature=prepared.signature,
        states=prepared.states,
        hierarchy=prepared.hierarchy,
        calibration=calibration,
        validation=validation.table(list(truth)),
        gene_names=prepared.gene_names,
        config=config,
        settings=settings,
        provenance=model_provenance(prepared.cells),
    )
    return Training(trained, result.history, not result.interrupted, training.fractions)


def build_network(
    signature: Signature,
    config: HPVADEConfig,
    *,
    hierarchy: Hierarchy,
    trust: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> HPVADENetwork:
    """Make an untrained network around a signature; its input is centred when training begins.

    ``trust`` of each gene, shape (n_genes,), is 1 by default. The first weights depend on ``seed`` alone; the
    global random state is left as it was.
    """
    group = [hierarchy.membership(level).argmax(1) for level in hierarchy.levels]
    trust = np.ones(len(signature.genes)) if trust is None else trust
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return HPVADENetwork(
            torch.from_numpy(signature.cpm).float().contiguous(),
            rna_content=torch.from_numpy(signature.rna_content).float(),
            mean_log=torch.zeros(len(signature.genes)),
            trust=torch.from_numpy(trust).float(),
            config=config.network,
            group=torch.from_numpy(np.array(group).reshape(-1, len(signature.cell_types))).long(),
        )


def _new_network(prepared: PreparedReference, config: HPVADEConfig, *, seed: int) -> HPVADENetwork:
    trust = prepared.cells.var.loc[prepared.signature.selected, _keys.TRUST].to_numpy()
    return build_network(
        prepared.signature.model_genes, config, hierarchy=prepared.hierarchy, trust=trust, seed=seed
    )
