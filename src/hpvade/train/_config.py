"""Settings of the training stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
