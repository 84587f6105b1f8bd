"""The history, one row per epoch: its columns, and its copy in TensorBoard."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._errors import InputError, OutputError
from hpvade.nn import LossTerms

if TYPE_CHECKING:
    from lightning.pytorch.loggers import TensorBoardLogger

MONITOR = "val_loss_prop"
HISTORY_COLUMNS = (
    "epoch",
    "train_loss",
    "val_loss",
    *(f"{phase}_{term}" for phase in ("train", "val") for term in LossTerms._fields[1:]),
    "val_r_type",
)

Row = dict[str, float]


def check_tensorboard(folder: str | Path) -> None:
    """Check that TensorBoard logs can be written.

    Raises
    ------
    InputError
        TensorBoard is not installed.
    OutputError
        ``folder`` is a file.
    """
    if find_spec("tensorboard") is None:
        msg = "TensorBoard is not installed. Install it: pip install 'hp-vade[tensorboard]'."
        raise InputError(msg)
    if Path(folder).exists() and not Path(folder).is_dir():
        msg = f"{folder} is a file. TensorBoard needs a folder: choose another path."
        raise OutputError(msg)


def tensorboard_logger(folder: str | Path, *, first_epoch: int) -> TensorBoardLogger:
    """Create Lightning's logger for a folder, which may contain an earlier part of this training.

    Raises
    ------
    InputError
        TensorBoard is not installed.
    OutputError
        The folder cannot be created.
    """
    from lightning.pytorch.loggers import TensorBoardLogger  # noqa: PLC0415 - a history needs no trainer

    check_tensorboard(folder)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}. Choose another folder for TensorBoard."
        raise OutputError(msg) from error
    # Hide values of an earlier training for the same epochs; otherwise both would be drawn as one curve.
    return TensorBoardLogger(folder, name=None, version="", default_hp_metric=False, purge_step=first_epoch)
