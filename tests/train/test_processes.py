"""Two processes that share every batch train the same model as one, apart from its seed."""

from __future__ import annotations

import numpy as np
import pytest

import hpvade
from hpvade._errors import InputError

QUICK = {"train": {"max_epochs": 12}, "simulate": {"n_mixtures": 600, "n_heldout": 100, "n_cells": 100}}


def trained(reference, *, seed=0, **options):
    model = hpvade.HPVADE(reference, preset="fast", config=QUICK, seed=seed)
    rows = []
    assert model.train(accelerator="cpu", on_epoch=rows.append, **options)
    assert len(rows) == len(model.history) == 12
    return model


@pytest.mark.parametrize(
    ("strategy", "devices", "words"),
    [("ddp_spawn", "auto", "is for several devices"), ("ddp", 2, "cannot use strategy 'ddp'")],
)
def test_unsuitable_strategies_are_refused(strategy, devices, words):
    reference = hpvade.testing.tiny_reference()
    hpvade.HPVADE.setup_anndata(reference)
    model = hpvade.HPVADE(reference, preset="fast", config=QUICK)
    with pytest.raises(InputError, match=words):
        model.train(accelerator="cpu", devices=devices, strategy=strategy)


@pytest.mark.slow
def test_two_processes_agree_with_one_within_the_spread_of_seeds():
    reference = hpvade.testing.tiny_reference()
    hpvade.HPVADE.setup_anndata(reference)
    bulk = hpvade.testing.tiny_bulk(reference)

    def by_the_network(model):
        """Fractions by the network alone: the fit would hide what was not learned."""
        model.config = model.config.updated({"deconvolve": {"fit": False}})
        return model.deconvolve(bulk).fractions.to_numpy()

    alone = np.stack([by_the_network(trained(reference, seed=seed)) for seed in range(3)])
    two = trained(reference, devices=2)
    spread = np.abs(alone - alone.mean(0)).max()
    # Three seeds estimate the spread of seeds only roughly, hence twice that.
    assert np.abs(by_the_network(two) - alone.mean(0)).max() < 2 * spread
    even = np.full_like(alone[0], 1 / alone.shape[2])
    truth = bulk.obsm["fractions"].to_numpy()
    assert np.abs(by_the_network(two) - truth).mean() < 0.5 * np.abs(even - truth).mean()
    assert two.history["val_loss"].notna().all()
