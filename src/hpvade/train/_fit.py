"""Train a network: run the trainer, handle Ctrl-C, and return the history."""

from __future__ import annotations

import logging
import math
import signal
import tempfile
import threading
import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from hpvade._errors import InputError
from hpvade._process import Terminated
from hpvade._threads import one_thread_each
from hpvade.train._callbacks import BestWeights, HandOver, HistoryCallback, StopOnRequest
from hpvade.train._config import TrainerOptions
from hpvade.train._history import HISTORY_COLUMNS, MONITOR, Row, tensorboard_logger
from hpvade.train._plan import TrainingPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hpvade.nn import HPVADENetwork, LossWeights
    from hpvade.train._config import TrainConfig
    from hpvade.train._data import MixtureData


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Result of a training run, in addition to the trained network.

    Attributes
    ----------
    history
        One row per epoch with all losses and `val_r_type`, those of earlier runs first.
    interrupted
        Whether the user stopped it early.
    """

    history: pd.DataFrame
    interrupted: bool


def fit(
    network: HPVADENetwork,
    data: MixtureData,
    *,
    config: TrainConfig,
    weights: LossWeights,
    seed: int,
    options: TrainerOptions | None = None,
    earlier: pd.DataFrame | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> TrainingResult:
    """Train a network in place and restore the weights that were best on held-out mixtures.

    Ctrl-C ends training after the current batch, or at the end of the first epoch if that is later, so that
    there is a result to keep. A second Ctrl-C ends it at once.

    Parameters
    ----------
    network
        The network; changed in place.
    data
        Training and held-out batches.
    config, weights
        Settings.
    seed
        Seed of dropout and latent samples. The global random state does not change.
    options
        Hardware and TensorBoard.
    earlier
        History of earlier runs when training continues. Epoch numbers continue from it, and the current
        weights are kept unless an epoch improves on its best one.
    on_epoch
        Called with each row of the history; with several devices, after training.

    Raises
    ------
    NonFiniteLossError
        A loss term became NaN or infinite.
    InputError
        The machine lacks the accelerator or the devices, or TensorBoard is not installed.
    OutputError
        The folder for TensorBoard cannot be written.
    """
    options = options or TrainerOptions()
    if earlier is None:
        earlier = pd.DataFrame(columns=list(HISTORY_COLUMNS))
    data.first_epoch = len(earlier)
    single = options.single_process
    history = HistoryCallback(first_epoch=len(earlier), on_epoch=on_epoch if single else None)
    best = BestWeights(network, best=float(earlier[MONITOR].min()) if len(earlier) else math.inf)
    stop = StopOnRequest()
    early = EarlyStopping(MONITOR, patience=config.patience, mode="min")
    with (
        _quiet_lightning(),
        _first_interrupt_sets(stop),
        one_thread_each(),  # of small operations, which wait for each other on a busy machine otherwise
        torch.random.fork_rng(),
        nullcontext("") if single else tempfile.TemporaryDirectory() as folder,
    ):
        torch.manual_seed(seed)
        hand_over = HandOver(history, best, seed=seed, path=Path(folder) / "trained.pt")
        trainer = _make_trainer(
            options,
            first_epoch=len(earlier),
            max_epochs=config.max_epochs,
            callbacks=[history, best, early, stop, *([] if single else [hand_over])],
        )
        try:
            trainer.fit(TrainingPlan(network, config=config, weights=weights), datamodule=data)
        except Terminated:
            raise
        except SystemExit as error:  # Lightning converts a second Ctrl-C to this
            raise KeyboardInterrupt from error
        if not single:
            hand_over.receive()
    if on_epoch is not None and not single:
        for row in history.rows:
            on_epoch(row)
    network.cpu()
    network.load_state_dict(best.state)
    network.eval()
    rows = pd.DataFrame(history.rows, columns=list(HISTORY_COLUMNS))
    whole = pd.concat([earlier, rows], ignore_index=True) if len(earlier) else rows
    return TrainingResult(whole, stop.requested)


def _make_trainer(
    options: TrainerOptions,
    *,
    first_epoch: int,
    max_epochs: int,
    callbacks: list[lightning.Callback],
) -> lightning.Trainer:
    folder = options.tensorboard
    logger = False if folder is None else tensorboard_logger(folder, first_epoch=first_epoch)
    try:
        return lightning.Trainer(
            max_epochs=max_epochs,
            callbacks=callbacks,
            accelerator=options.accelerator,
            devices=1 if options.single_process else options.devices,
            strategy="ddp_spawn"
            if options.strategy == "auto" and not options.single_process
            else options.strategy,
            logger=logger,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        msg = (
            f"Training cannot use accelerator '{options.accelerator}' with devices '{options.devices}' on "
            f"this machine: {str(error).splitlines()[0]} Use --accelerator auto --devices auto."
        )
        raise InputError(msg) from error


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Silence Lightning's notices on devices and data loaders, which do not concern users of hpvade."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _first_interrupt_sets(stop: StopOnRequest) -> Iterator[None]:
    """Convert the first Ctrl-C to a request to stop; the handler can only be set in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)

    def request(_signum: int, _frame: object) -> None:
        stop.requested = True
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, request)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
