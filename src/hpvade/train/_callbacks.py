"""Callbacks: collect the history, keep the best weights, stop on request, return results of processes."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import lightning
import torch

from hpvade.train._history import HISTORY_COLUMNS, MONITOR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hpvade.nn import HPVADENetwork
    from hpvade.train._history import Row
    from hpvade.train._plan import TrainingPlan


class HistoryCallback(lightning.Callback):
    """Collect one row of all losses per epoch, and pass it to the trainer's loggers.

    Parameters
    ----------
    first_epoch
        Number of the first epoch; above 0 when training continues from a checkpoint.
    on_epoch
        Called with each new row, for progress display.
    """

    def __init__(self, *, first_epoch: int = 0, on_epoch: Callable[[Row], None] | None = None) -> None:
        self.first_epoch = first_epoch
        self.on_epoch = on_epoch
        self.rows: list[Row] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the row; validation of the epoch is over by now."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = self.first_epoch + trainer.current_epoch
        self.rows.append({"epoch": epoch} | {name: logged[name] for name in HISTORY_COLUMNS[1:]})
        for logger in trainer.loggers:
            logger.log_metrics({name: logged[name] for name in HISTORY_COLUMNS[1:]}, step=epoch)
            logger.save()  # otherwise it is written with a delay
        if self.on_epoch is not None:
            self.on_epoch(self.rows[-1])


class BestWeights(lightning.Callback):
    """Keep the weights of the epoch with the best proportion loss on held-out mixtures.

    Parameters
    ----------
    network
        The network; its current weights are kept until an epoch improves on ``best``.
    best
        Loss of the current weights.
    """

    def __init__(self, network: HPVADENetwork, *, best: float) -> None:
        self.best = best
        self.state = _copy_of_weights(network)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: TrainingPlan) -> None:
        """Copy the weights if this epoch is the best so far."""
        value = float(trainer.callback_metrics[MONITOR])
        if value < self.best:
            self.best = value
            self.state = _copy_of_weights(pl_module.network)


def _copy_of_weights(network: HPVADENetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


class StopOnRequest(lightning.Callback):
    """End training after the current batch on request, with validation and the best weights kept."""

    def __init__(self) -> None:
        self.requested = False

    def on_train_batch_end(self, trainer: lightning.Trainer, *_args: object) -> None:
        """Pass the request on to Lightning."""
        if self.requested:
            trainer.should_stop = True


class HandOver(lightning.Callback):
    """Pass history and best weights from the first of several processes to the one that started them.

    Parameters
    ----------
    history, best
        The callbacks whose results are passed on.
    seed
        Seed of dropout and latent samples, from which each process derives its own.
    path
        File to write.
    """

    def __init__(self, history: HistoryCallback, best: BestWeights, *, seed: int, path: Path) -> None:
        self.history = history
        self.best = best
        self.seed = seed
        self.path = path

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Silence Lightning's notices in this process as well."""
        logging.getLogger("lightning").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module="lightning")

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed this process."""
        torch.manual_seed(self.seed * trainer.world_size + trainer.global_rank)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the file: the processes share no memory."""
        if trainer.is_global_zero:
            torch.save({"rows": self.history.rows, "state": self.best.state}, self.path)

    def receive(self) -> None:
        """Read the file in the process that started the others."""
        result = torch.load(self.path, weights_only=True)
        self.history.rows, self.best.state = result["rows"], result["state"]
