"""What is noted of each epoch."""

from __future__ import annotations

from hpvade.nn import LossTerms

MONITOR = "val_loss_prop"
HISTORY_COLUMNS = (
    "epoch",
    "train_loss",
    "val_loss",
    *(f"{phase}_{term}" for phase in ("train", "val") for term in LossTerms._fields[1:]),
    "val_r_type",
)

Row = dict[str, float]
