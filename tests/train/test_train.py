from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch

import hpvade
from hpvade._errors import NonFiniteLossError
from hpvade._random import child_rng
from hpvade.model import HPVADE
from hpvade.model._train import build_network
from hpvade.nn import LossTerms, LossWeights
from hpvade.pp import Hierarchy
from hpvade.simulate import SimulateConfig
from hpvade.train import HISTORY_COLUMNS, Batches, MixtureData, SplitData, TrainConfig, TrainingPlan, fit

SIMULATE = SimulateConfig(n_mixtures=200, n_heldout=60, n_cells=50)


@pytest.fixture
def model(reference):
    return HPVADE(reference, preset="fast", config={"simulate": SIMULATE.model_dump()})


@pytest.fixture
def data(model):
    splits = [SplitData.draw(model.prepared, split=s, config=SIMULATE, seed=0) for s in ("train", "heldout")]
    return MixtureData(*splits, effects=SIMULATE, batch_size=32, seed=0)


def make_batch(data):
    return next(iter(Batches(data.train, effects=SIMULATE, batch_size=32, rng=child_rng(0, "test"))))


@pytest.fixture
def network(model):
    """An untrained network for the model's genes."""
    hierarchy = Hierarchy.from_obs(model.prepared.obs, labels_key="cell_type", levels=[])
    return build_network(model.reference_signature.model_genes, model.config, hierarchy=hierarchy)


def make_plan(network):
    return TrainingPlan(network, config=TrainConfig(), weights=LossWeights())


class TestSharedStep:
    def test_training_and_validation_give_the_same_terms(self, network, data, monkeypatch):
        plan, batch = make_plan(network), make_batch(data)
        plan.network.eval()
        logged = {}
        monkeypatch.setattr(plan, "log_dict", lambda values, **_: logged.update(values))
        plan.training_step(batch, 0)
        plan.validation_step(batch, 0)
        for name in LossTerms._fields:
            assert torch.equal(logged[f"train_{name}"], logged[f"val_{name}"])

    def test_both_paths_go_through_one_loss_function(self, network, data, monkeypatch):
        plan, batch = make_plan(network), make_batch(data)
        monkeypatch.setattr(plan, "log_dict", lambda *_a, **_k: None)
        calls = []
        original = hpvade.train._plan.loss_terms
        monkeypatch.setattr(
            hpvade.train._plan, "loss_terms", lambda *a, **k: calls.append(1) or original(*a, **k)
        )
        plan.training_step(batch, 0)
        plan.validation_step(batch, 0)
        assert len(calls) == 2

    def test_softmax_with_exact_zeros_is_finite_in_both(self, network, data, monkeypatch):
        plan, batch = make_plan(network), make_batch(data)
        with torch.no_grad():
            for member in plan.network.deconvolution.members:
                member[-1].bias.copy_(torch.tensor([1e5, 0.0, -1e5]))
        logged = {}
        monkeypatch.setattr(plan, "log_dict", lambda values, **_: logged.update(values))
        assert (plan.network(batch).fractions == 0).any()
        plan.training_step(batch, 0)
        plan.validation_step(batch, 0)
        assert all(torch.isfinite(value) for value in logged.values())

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    @pytest.mark.parametrize(
        ("where", "term"),
        [("cells", "loss_recon"), ("fractions", "loss_prop"), ("mixture", "loss_bulk_recon")],
    )
    @pytest.mark.parametrize("phase", ["train", "val"])
    def test_planted_value_stops_with_term_batch_and_ranges(
        self, network, data, monkeypatch, value, where, term, phase
    ):
        plan, batch = make_plan(network), make_batch(data)
        monkeypatch.setattr(plan, "log_dict", lambda *_a, **_k: None)
        planted = getattr(batch, where).clone()
        planted[0, 0] = value
        batch = batch._replace(**{where: planted})
        step = plan.training_step if phase == "train" else plan.validation_step
        with pytest.raises(NonFiniteLossError) as error:
            step(batch, 7)
        message = str(error.value)
        assert term in message
        assert f"{phase} batch 7 of epoch 0" in message
        assert f"batch {where}: " in message
        assert "1 of" in message


def test_planted_nan_stops_the_whole_run(network, data):
    data.train.mixtures[3, 5] = np.nan
    with pytest.raises(NonFiniteLossError, match="train batch"):
        fit(network, data, config=TrainConfig(max_epochs=2), weights=LossWeights(), seed=0)


class TestFit:
    def test_history_has_the_contract_columns_and_losses_fall(self, network, data):
        seen = []
        result = fit(
            network,
            data,
            config=TrainConfig(max_epochs=5, batch_size=32),
            weights=LossWeights(),
            seed=0,
            on_epoch=seen.append,
        )
        assert tuple(result.history.columns) == HISTORY_COLUMNS
        assert np.isfinite(result.history.to_numpy()).all()
        assert result.history["epoch"].tolist() == [0, 1, 2, 3, 4]
        # Not every epoch improves on every machine; five epochs together do, by a wide margin.
        assert result.history["train_loss"].iloc[-1] < result.history["train_loss"].iloc[0]
        assert seen == result.history.to_dict("records")
        assert not result.interrupted

    def test_best_weights_are_kept(self, network, data):
        """The weights at the end give the best validation loss of the history."""
        result = fit(
            network,
            data,
            config=TrainConfig(max_epochs=6, batch_size=32, learning_rate=0.05),
            weights=LossWeights(),
            seed=0,
        )
        losses = []
        rng = child_rng(0, "heldout")
        for batch in Batches(data.heldout, effects=SIMULATE, batch_size=32, rng=rng):
            with torch.inference_mode():
                p = network.deconvolution(batch.bulk)
            losses += [hpvade.nn.proportion_loss(p, batch.fractions).item()] * len(batch.fractions)
        assert np.mean(losses) == pytest.approx(
            result.history["val_loss_prop"].min(), rel=1e-3
        )  # single precision

    def test_global_random_state_does_not_change(self, network, data):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        fit(network, data, config=TrainConfig(max_epochs=1), weights=LossWeights(), seed=0)
        assert torch.equal(torch.rand(3), expected)

    def test_interrupt_ends_cleanly_with_a_history(self, network, data):
        before = signal.getsignal(signal.SIGINT)

        def interrupt(row):
            if row["epoch"] == 1:
                os.kill(os.getpid(), signal.SIGINT)

        result = fit(
            network,
            data,
            config=TrainConfig(max_epochs=50),
            weights=LossWeights(),
            seed=0,
            on_epoch=interrupt,
        )
        assert result.interrupted
        assert 2 <= len(result.history) <= 3
        assert signal.getsignal(signal.SIGINT) is before

    def test_interrupt_in_the_first_epoch_leaves_one_whole_epoch(self, network, data, monkeypatch):
        plan_step = TrainingPlan.training_step

        def interrupted(plan, batch, batch_idx):
            os.kill(os.getpid(), signal.SIGINT)
            monkeypatch.setattr(TrainingPlan, "training_step", plan_step)
            return plan_step(plan, batch, batch_idx)

        monkeypatch.setattr(TrainingPlan, "training_step", interrupted)
        result = fit(network, data, config=TrainConfig(max_epochs=5), weights=LossWeights(), seed=0)
        assert result.interrupted
        assert len(result.history) == 1

    def test_early_stopping_watches_the_proportion_loss(self, network, data):
        config = TrainConfig(max_epochs=60, patience=1, learning_rate=0.3)
        result = fit(network, data, config=config, weights=LossWeights(), seed=0)
        assert len(result.history) < 60


class TestBatches:
    def test_a_pass_sees_every_mixture_once(self, data):
        batches = list(Batches(data.train, effects=SIMULATE, batch_size=64, rng=child_rng(1)))
        seen = torch.cat([batch.mixture for batch in batches]).numpy()
        assert len(batches) == len(Batches(data.train, effects=SIMULATE, batch_size=64, rng=child_rng(1)))
        np.testing.assert_allclose(np.sort(seen[:, 0]), np.sort(data.train.mixtures[:, 0]))

    def test_processes_share_the_mixtures(self, data):
        parts = [
            Batches(data.train, effects=SIMULATE, batch_size=64, rng=child_rng(1), rank=r, world_size=2).order
            for r in range(2)
        ]
        assert len(parts[0]) == len(parts[1]) == 100
        assert not set(parts[0]) & set(parts[1])

    def test_same_generator_same_batches(self, data):
        one, other = make_batch(data), make_batch(data)
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    def test_effects_touch_the_input_not_the_target(self, data):
        batch = make_batch(data)
        assert not torch.allclose(batch.bulk, batch.mixture)
        torch.testing.assert_close(batch.bulk.sum(1), batch.mixture.sum(1))

    def test_cells_are_in_log_space_of_the_model_genes(self, data):
        batch = make_batch(data)
        totals = torch.expm1(batch.cells.double()).sum(1)
        torch.testing.assert_close(totals, torch.full_like(totals, 1e4), rtol=1e-4, atol=0)


def test_signature_has_its_own_learning_rate(network, data):
    """It starts at that of the reference and is adjusted, not fitted to the training cells."""
    moved = []
    for rate in (0.0, 0.01, 1.0):
        with torch.no_grad():
            network.signature.log_change.zero_()
        config = TrainConfig(max_epochs=2, signature_rate=rate)
        fit(network, data, config=config, weights=LossWeights(), seed=0)
        moved.append(network.signature.log_change.abs().mean().item())
    assert moved[0] == 0
    assert 0 < moved[1] < moved[2] / 10
