"""Training in several processes, one for each device."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import lightning
import torch

from hpvade._errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade.train._callbacks import BestWeights, HistoryCallback

_STRATEGIES = ("auto", "ddp_spawn", "ddp_fork", "ddp_notebook")  # that begin and end within one program


def is_alone(devices: str | int, *, strategy: str) -> bool:
    """Whether this process trains by itself.

    Raises
    ------
    InputError
        The strategy would start the whole program anew on each device, or has nothing to share out.
    """
    alone = devices in ("auto", "1", 1)
    if strategy not in _STRATEGIES:
        msg = f"Training cannot use strategy '{strategy}'. Use one of {', '.join(_STRATEGIES)}."
        raise InputError(msg)
    if alone and strategy != "auto":
        msg = f"Strategy '{strategy}' is for several devices: give --devices too."
        raise InputError(msg)
    return alone


class HandOver(lightning.Callback):
    """Hand history and best weights of the first process to the one that started all.

    Parameters
    ----------
    history, best
        What is to be handed over.
    seed
        Each process draws dropout and latent samples from a seed of its own, made of this one.
    path
        File to write.
    """

    def __init__(self, history: HistoryCallback, best: BestWeights, *, seed: int, path: Path) -> None:
        self.history = history
        self.best = best
        self.seed = seed
        self.path = path

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Silence Lightning's notices in this process too."""
        logging.getLogger("lightning").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module="lightning")

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed this process."""
        torch.manual_seed(self.seed * trainer.world_size + trainer.global_rank)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the file; processes of this one's children share no memory with it."""
        if trainer.is_global_zero:
            torch.save({"rows": self.history.rows, "state": self.best.state}, self.path)

    def receive(self) -> None:
        """Read the file in the process that started all."""
        told = torch.load(self.path, weights_only=True)
        self.history.rows, self.best.state = told["rows"], told["state"]
