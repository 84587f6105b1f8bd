"""Training on the embedded data: the job of ``train_hp_vade.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpvade.datasets import pbmc68k_reduced
from hpvade.io import output_dir
from hpvade.jobs._train import TrainOptions, train_model, write_model
from hpvade.model import HPVADE
from hpvade.results import RunRecord, own_files
from hpvade.results._files import RUN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def train_embedded(
    output: Path,
    *,
    train: TrainOptions | None = None,
    seed: int = 0,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> bool:
    """Train on all embedded cells; returns and writes as `train_files` does."""
    record = RunRecord(seed, on_stage)
    with output_dir(output, own_files=own_files, force=force) as folder:
        reference = pbmc68k_reduced()
        HPVADE.setup_anndata(reference)
        model, finished = train_model(
            reference, bulk=None, options=train or TrainOptions(), record=record, folder=folder
        )
        write_model(model, folder)
        record.write(folder / RUN)
    return finished
