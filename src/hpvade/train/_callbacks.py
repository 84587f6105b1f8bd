"""What happens at the end of an epoch: the history grows, the best weights are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightning

from hpvade.train._history import HISTORY_COLUMNS, MONITOR

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from hpvade.nn import HPVADENetwork
    from hpvade.train._history import Row
    from hpvade.train._plan import TrainingPlan


class HistoryCallback(lightning.Callback):
    """Collect one row of all losses per epoch, and tell it to the trainer's loggers.

    Parameters
    ----------
    first_epoch
        Number of the first epoch; above 0 when training goes on from a checkpoint.
    on_epoch
        Called with each new row, for progress display.
    """

    def __init__(self, *, first_epoch: int = 0, on_epoch: Callable[[Row], None] | None = None) -> None:
        self.first_epoch = first_epoch
        self.on_epoch = on_epoch
        self.rows: list[Row] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the row; Lightning has validated by now."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = self.first_epoch + trainer.current_epoch
        self.rows.append({"epoch": epoch} | {name: logged[name] for name in HISTORY_COLUMNS[1:]})
        for logger in trainer.loggers:
            logger.log_metrics({name: logged[name] for name in HISTORY_COLUMNS[1:]}, step=epoch)
            logger.save()  # what writes it lags behind otherwise
        if self.on_epoch is not None:
            self.on_epoch(self.rows[-1])


class BestWeights(lightning.Callback):
    """Keep the weights of the epoch with the best proportion loss on held-out mixtures.

    Parameters
    ----------
    network
        The network; what it holds now is kept until an epoch does better than ``best``.
    best
        The loss to beat.
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
    """Let a signal end training after the current batch, with validation and best weights in order."""

    def __init__(self) -> None:
        self.requested = False

    def on_train_batch_end(self, trainer: lightning.Trainer, *_args: object) -> None:
        """Pass the request on to Lightning."""
        if self.requested:
            trainer.should_stop = True
