"""References → a trained model and its files: the job of ``hpvade train``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from hpvade import _keys
from hpvade._errors import InputError
from hpvade.io import output_dir
from hpvade.jobs._bulk import BulkOptions
from hpvade.jobs._references import ReferenceOptions, load_references, reference_facts
from hpvade.model import HPVADE, preset_config, preset_name
from hpvade.results import (
    RunRecord,
    append_epoch,
    own_files,
    read_history,
    write_history,
    write_signature,
)
from hpvade.results._files import MODEL, RUN, SIGNATURE
from hpvade.train import check_tensorboard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from hpvade._types import Preset
    from hpvade.train import Row

_FINISHED = "finished"  # among the decisions of a run


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes
    ----------
    preset
        Settings to start from.
    changes
        Changes to the preset, section → setting → value.
    accelerator, devices, strategy
        As for `HPVADE.train`.
    on_epoch
        Called with each new row of the history and the maximum number of epochs.
    tensorboard
        Folder for TensorBoard.

    Raises
    ------
    InputError
        TensorBoard is not installed, or cannot write there.
    """

    preset: Preset = "default"
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    accelerator: str = "auto"
    devices: str | int = "auto"
    strategy: str = "auto"
    on_epoch: Callable[[Row, int], None] | None = None
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        if self.tensorboard is not None:  # reported before anything is read
            check_tensorboard(self.tensorboard)


def settings_text(preset: str, changes: dict[str, dict[str, Any]]) -> str:
    """Return all settings of a preset with changes as YAML."""
    return yaml.safe_dump(preset_config(preset).updated(changes).model_dump(mode="json"), sort_keys=False)


def train_files(
    references: Sequence[Path],
    output: Path,
    *,
    bulk: Path | None = None,
    bulk_options: BulkOptions | None = None,
    options: ReferenceOptions | None = None,
    train: TrainOptions | None = None,
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    on_stage: Callable[[str], None] = lambda _name: None,
) -> bool:
    """Train a model on reference files and write it.

    With ``resume`` the model in ``output`` is trained further and replaced. A model whose training was
    stopped is replaced in any case.

    Returns
    -------
    Whether training ran to its end; after Ctrl-C the best model so far is written all the same.
    """
    record = RunRecord(seed, on_stage)
    options = options or ReferenceOptions()
    inputs = [*references, *options.tables, *([] if bulk is None else [bulk])]
    replaced = force or resume or _was_stopped(output)
    with output_dir(output, own_files=own_files, force=replaced, inputs=inputs) as folder:
        with record.stage("read"):
            reference = load_references(references, options=options)
            record.decisions["reference"] = reference_facts(reference)
            samples = None
            if bulk is not None and not resume:  # an existing model has its genes
                with (bulk_options or BulkOptions()).open(bulk, var=reference.var) as file:
                    samples = file.representative_samples()
        with record.stage("checksums"):
            for path in inputs:
                record.add_input(path)
        model, finished = train_model(
            reference,
            bulk=samples,
            options=train or TrainOptions(),
            record=record,
            folder=folder,
            resume_from=output if resume else None,
        )
        write_model(model, folder)
        record.decisions[_FINISHED] = finished
        record.write(folder / RUN)
    return finished


def _was_stopped(output: Path) -> bool:
    """Whether a folder holds a model whose training was stopped, by Ctrl-C."""
    try:
        return json.loads((output / RUN).read_text())["decisions"][_FINISHED] is False
    except (OSError, ValueError, KeyError, TypeError):  # no such folder, or of something else
        return False


def train_model(
    reference: AnnData,
    *,
    bulk: AnnData | None,
    options: TrainOptions,
    record: RunRecord,
    folder: Path | None = None,
    resume_from: Path | None = None,
) -> tuple[HPVADE, bool]:
    """Prepare the reference and train a model on it.

    Parameters
    ----------
    reference
        As `load_references` returns it.
    bulk
        Samples that will be deconvolved, to restrict the genes to theirs.
    options
        Preset, settings, hardware.
    record
        Takes timings and decisions.
    folder
        Where ``history.csv`` grows during training.
    resume_from
        Output folder of an earlier training, to continue it.

    Returns
    -------
    The model, and whether training ran to its end (False after Ctrl-C).
    """
    with record.stage("prepare"):
        if resume_from is None:
            model = HPVADE(
                reference, preset=options.preset, config=options.changes, bulk=bulk, seed=record.seed
            )
        else:
            model = HPVADE.load(resume_from, reference=reference)
            model.history = read_history(resume_from)
            if folder is not None:
                write_history(model.history, folder)
            _check_resumed(model, options=options, seed=record.seed)
            model.config = model.config.updated(options.changes)
    pooled = reference.uns.get(_keys.UNS, {}).get(_keys.N_CELLS, {})
    record.decisions["cells"] = int(sum(pooled.values())) or reference.n_obs
    record.decisions["cells_kept"] = reference.n_obs
    record.decisions["model_genes"] = len(model.reference_signature.model_genes.genes)
    record.decisions["cell_types"] = model.cell_types
    last_epoch = len(model.history) + model.config.train.max_epochs

    def on_epoch(row: Row) -> None:
        if folder is not None:
            append_epoch(row, folder)
        if options.on_epoch is not None:
            options.on_epoch(row, last_epoch)

    with record.stage("train"):
        finished = model.train(
            accelerator=options.accelerator,
            devices=options.devices,
            strategy=options.strategy,
            tensorboard=options.tensorboard,
            on_epoch=on_epoch,
        )
    assert model.trained is not None  # for the type checker: training has ended
    provenance = model.trained.provenance | {"inputs_sha256": dict(record.inputs)}
    model.trained = replace(model.trained, provenance=provenance)
    return model, finished


def write_model(model: HPVADE, folder: Path) -> None:
    """Write ``model/``, ``history.csv`` and ``signature.tsv.gz`` into a folder."""
    model.save(folder / MODEL)
    write_history(model.history, folder)
    write_signature(model.signature, folder / SIGNATURE)


def _check_resumed(model: HPVADE, *, options: TrainOptions, seed: int) -> None:
    """Refuse to continue from a model with other settings; only those of training may change."""
    updated = model.config.updated(options.changes).model_copy(update={"train": model.config.train})
    requested = {"preset": preset_name(options.preset), "seed": seed}
    if updated != model.config or any(model.settings[name] != value for name, value in requested.items()):
        msg = (
            "With --resume only training settings can change (--max-epochs). This model was made with "
            f"--preset {model.settings['preset']} --seed {model.settings['seed']}: use the same options, "
            "or train a new model without --resume."
        )
        raise InputError(msg)
