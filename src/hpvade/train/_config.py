"""Settings of the training stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from hpvade import _limits as limits
from hpvade._errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_STRATEGIES = ("auto", "ddp_spawn", "ddp_fork", "ddp_notebook")  # those that start and end within one program


class TrainConfig(BaseModel):
    """How long to train, and at which rate.

    Attributes
    ----------
    max_epochs
        Maximum number of passes over the training mixtures.
    patience
        Number of epochs without a better proportion loss on held-out mixtures after which training stops.
    batch_size
        Number of mixtures, and of cells, per step.
    learning_rate
        Peak of the one-cycle schedule.
    signature_rate
        Learning rate of the signature relative to that of all other parameters.
    weight_decay
        AdamW weight decay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_epochs: int = Field(default=6, ge=1, le=limits.MAX_EPOCHS)
    patience: int = Field(default=5, ge=1, le=limits.MAX_EPOCHS)
    batch_size: int = Field(default=128, ge=2, le=limits.MAX_BATCH)
    learning_rate: float = Field(default=3e-3, gt=0, le=limits.MAX_RATE)
    signature_rate: float = Field(default=0.01, ge=0, le=limits.MAX_RATE)
    weight_decay: float = Field(default=1e-4, ge=0, le=limits.MAX_WEIGHT)


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """Hardware and logs of training; the model does not depend on them.

    Attributes
    ----------
    accelerator, devices, strategy
        As in Lightning, except that ``devices="auto"`` is one device, and that ``strategy="auto"`` with
        several devices is ``"ddp_spawn"``: one process per device, which share every batch. The program must
        then have a main guard, and Ctrl-C ends training at once. ``"ddp_fork"`` and ``"ddp_notebook"`` start
        the processes in other ways.
    tensorboard
        Folder for TensorBoard, which receives each row of the history at the end of its epoch.

    Raises
    ------
    InputError
        The strategy would start the whole program again on each device, or there is only one device.
    """

    accelerator: str = "auto"
    devices: str | int = "auto"
    strategy: str = "auto"
    tensorboard: str | Path | None = None

    def __post_init__(self) -> None:
        """Check the strategy."""
        if self.strategy not in _STRATEGIES:
            msg = f"Training cannot use strategy '{self.strategy}'. Use one of {', '.join(_STRATEGIES)}."
            raise InputError(msg)
        if self.single_process and self.strategy != "auto":
            msg = f"Strategy '{self.strategy}' is for several devices: pass --devices too."
            raise InputError(msg)

    @property
    def single_process(self) -> bool:
        """Whether one device, and so this process alone, trains."""
        return self.devices in ("auto", "1", 1)
