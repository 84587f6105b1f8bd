"""Losses of each epoch for TensorBoard."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hpvade._errors import InputError, OutputError

if TYPE_CHECKING:
    from lightning.pytorch.loggers import TensorBoardLogger


def check_tensorboard(folder: str | Path) -> None:
    """Refuse to log for TensorBoard where that is not possible.

    Raises
    ------
    InputError
        The extra is not installed.
    OutputError
        ``folder`` cannot be one.
    """
    if find_spec("tensorboard") is None:
        msg = "TensorBoard is not installed. Install it: pip install 'hp-vade[tensorboard]'."
        raise InputError(msg)
    if Path(folder).exists() and not Path(folder).is_dir():
        msg = f"{folder} is a file; name a folder for TensorBoard."
        raise OutputError(msg)


def tensorboard_logger(folder: str | Path, *, first_epoch: int) -> TensorBoardLogger:
    """Make Lightning's logger for a folder, which may hold an earlier part of this training.

    Raises
    ------
    InputError
        As `check_tensorboard` says, or the folder cannot be made.
    """
    from lightning.pytorch.loggers import TensorBoardLogger  # noqa: PLC0415 - checked first, on any machine

    check_tensorboard(folder)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}. Choose another place for TensorBoard."
        raise OutputError(msg) from error
    # What an earlier training wrote there for these epochs is hidden, or both would be one curve.
    return TensorBoardLogger(folder, name=None, version="", default_hp_metric=False, purge_step=first_epoch)
