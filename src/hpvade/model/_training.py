"""Prepared reference → trained network, and how far off it is on held-out cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from hpvade import _keys
from hpvade._errors import HPVADEError
from hpvade._random import child_rng
from hpvade.deconvolve import Calibration, LabelledCells, calibrate, calibrate_unknown, validate_on_mixtures
from hpvade.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from hpvade.model._config import HPVADEConfig
    from hpvade.nn import HPVADENetwork
    from hpvade.pp import CellStates, Hierarchy, ReferenceSignature
    from hpvade.train import Row

_N_TRIAL = 200  # mixtures to try a trained model out on


class Training(NamedTuple):
    """What training leaves beside the network's weights."""

    history: pd.DataFrame
    interrupted: bool
    fractions: NDArray[np.float32]  # of the training mixtures, (n_mixtures, n_types)
    calibration: Calibration
    heldout: pd.DataFrame  # see `Validation.table`, of new mixtures of the held-out cells


def train_network(
    network: HPVADENetwork,
    prepared: AnnData | None,
    *,
    signature: ReferenceSignature,
    states: CellStates,
    hierarchy: Hierarchy,
    config: HPVADEConfig,
    seed: int,
    earlier: pd.DataFrame,
    on_epoch: Callable[[Row], None] | None,
    **options: Any,  # noqa: ANN401 - of `TrainerOptions`
) -> Training:
    """Simulate mixtures, train on them, calibrate on those of held-out cells, and try out on others of them.

    ``network`` is changed in place; ``earlier`` is the history of the training that this one goes on from.

    Raises
    ------
    HPVADEError
        There is no prepared reference, as in a model that was loaded without one.
    """
    # Lightning takes seconds to import.
    from hpvade.train import MixtureData, SplitData, TrainerOptions, fit  # noqa: PLC0415

    if prepared is None:
        msg = "A loaded model has no reference to train on. Load it with HPVADE.load(folder, reference=…)."
        raise HPVADEError(msg)
    training = SplitData.draw(prepared, split=_keys.TRAIN, config=config.simulate, seed=seed)
    heldout = SplitData.draw(prepared, split=_keys.HELDOUT, config=config.simulate, seed=seed)
    network.deconvolution.center.copy_(torch.from_numpy(training.mean_log()))
    result = fit(
        network,
        MixtureData(
            training, heldout, effects=config.simulate, batch_size=config.train.batch_size, seed=seed
        ),
        config=config.train,
        weights=config.loss,
        seed=seed,
        earlier=earlier,
        on_epoch=on_epoch,
        options=TrainerOptions(**options),
    )
    rng = child_rng(seed, "calibration")
    tested: dict[str, Any] = {
        "states": states,
        "content_sd": signature.content_sd,
        "config": config.deconvolve,
    }
    chosen = slice(config.deconvolve.n_calibration)
    trial = validate_on_mixtures(
        network, heldout.mixtures[chosen], heldout.fractions[chosen], rng=rng, **tested
    )
    calibration = calibrate(trial, hierarchy=hierarchy)
    unknown = calibrate_unknown(
        _heldout_cells(prepared),
        signature=signature,
        states=states,
        trust=network.deconvolution.trust.numpy(),
        config=config.deconvolve,
        rng=rng,
    )
    calibration = replace(calibration, unknown=unknown)
    unseen = simulate(
        prepared,
        config=config.simulate.model_copy(update={"n_heldout": _N_TRIAL}),
        split=_keys.HELDOUT,
        effects=False,
        seed=seed + 1,
    )
    truth = unseen.obsm[_keys.FRACTIONS]
    last = validate_on_mixtures(network, unseen.X, truth.to_numpy(), rng=child_rng(seed, "trial"), **tested)
    return Training(
        result.history, result.interrupted, training.fractions, calibration, last.table(list(truth))
    )


def _heldout_cells(prepared: AnnData) -> LabelledCells:
    cells = prepared[(prepared.obs[_keys.SPLIT] == _keys.HELDOUT).to_numpy()]
    labels = cells.obs[prepared.uns[_keys.UNS]["labels_key"]]
    types = prepared.obs[labels.name].astype("category").cat.categories
    weighted = _keys.RNA_WEIGHT in cells.obs
    return LabelledCells(
        cells.layers[_keys.COUNTS],
        types.get_indexer(labels),
        cells.obs[_keys.RNA_WEIGHT].to_numpy(float) if weighted else None,
    )
