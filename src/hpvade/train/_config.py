"""Settings of the training stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pathlib import Path


class TrainConfig(BaseModel):
    """How long and how fast to train.

    Attributes
    ----------
    max_epochs
        Most passes over the training mixtures.
    patience
        Epochs without a better proportion loss on held-out mixtures before training stops.
    batch_size
        Mixtures, and cells, per step.
    learning_rate
        Peak of the one-cycle schedule.
    signature_rate
        Learning rate of the signature over that of everything else.
    weight_decay
        AdamW weight decay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_epochs: int = Field(default=10, ge=1)
    patience: int = Field(default=5, ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=3e-3, gt=0)
    signature_rate: float = Field(default=0.01, ge=0)
    weight_decay: float = Field(default=1e-4, ge=0)


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """On what to train, and what to tell meanwhile: nothing of the model depends on it.

    Attributes
    ----------
    accelerator, devices, strategy
        As Lightning understands them, but ``devices="auto"`` is one device, and with several
        ``strategy="auto"`` is ``"ddp_spawn"``: a process for each, which share every batch. The program must
        then have a main guard, and Ctrl-C ends training at once. Others start processes in the same way:
        ``"ddp_fork"``, ``"ddp_notebook"``.
    tensorboard
        Folder for TensorBoard, which gets each row of the history as its epoch ends.
    """

    accelerator: str = "auto"
    devices: str | int = "auto"
    strategy: str = "auto"
    tensorboard: str | Path | None = None
