"""Fitting one method with one reference to one set, on the clock."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hpvade import _keys
from hpvade._errors import LabelError, suggest
from hpvade._threads import set_threads
from hpvade._warnings import HPVADEWarning
from hpvade.datasets import scored_columns
from hpvade.io import is_missing_label, match_genes, read_bulk, read_reference
from hpvade.jobs._compare import baseline_fractions
from hpvade.jobs._train import train_model
from hpvade.jobs.benchmark._estimate import Estimate
from hpvade.jobs.benchmark._intervals import scored_intervals
from hpvade.jobs.benchmark._plan import MODEL
from hpvade.model import HPVADE, deconvolve
from hpvade.pp import apply_label_map, combine_references, rna_fractions
from hpvade.results import RunRecord, peak_memory_mb

if TYPE_CHECKING:
    from anndata import AnnData

    from hpvade.datasets import BulkEntry
    from hpvade.jobs._train import TrainOptions
    from hpvade.jobs.benchmark._plan import BenchmarkReference

_DONOR = "donor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to estimate, and how."""

    reference: BenchmarkReference
    dataset: str
    bulk: BulkEntry
    method: str
    seed: int
    train: TrainOptions
    threads: int | None = None

    @property
    def name(self) -> str:
        """Name of the task, and of its files."""
        return f"{self.reference.name}.{self.method}.{self.dataset}.{self.seed}"


def estimate(task: Task) -> Estimate:
    """Read the data, then prepare the reference, fit and deconvolve on the clock.

    The seconds are from data in memory to fractions, the same for every method; importing libraries and
    reading files do not count. The peak memory is that of the whole process.
    """
    from hpvade.train import SplitData  # noqa: PLC0415 - Lightning takes seconds to import: before the clock

    if task.threads is not None:
        set_threads(task.threads)
    record = RunRecord(task.seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", HPVADEWarning)
        cells = load_reference(task.reference)
        bulk = read_bulk(task.bulk.path, unit=task.bulk.unit, genes=cells.var_names)
        if task.method == MODEL:
            model, finished = train_model(cells, bulk=bulk, options=task.train, record=record)
            if not finished:
                raise KeyboardInterrupt
            assert model.trained is not None  # for the type checker: training has ended
            with record.stage("deconvolve"):
                answer = deconvolve(model.trained, bulk)
            fractions = answer.fractions if task.bulk.estimand == "cells" else answer.rna_fractions
            intervals = scored_intervals(
                answer,
                scored_columns(task.bulk, task.reference.coarse)["estimate"],
                calibration=model.trained.calibration,
                estimand=task.bulk.estimand,
            )
        else:
            with record.stage("prepare"):
                model = HPVADE(
                    cells, preset=task.train.preset, config=task.train.changes, bulk=bulk, seed=task.seed
                )
                prepared = model.prepared
            assert prepared is not None  # for the type checker: it was prepared just now
            with record.stage("deconvolve"):
                if task.method == "mean":
                    simulation = model.config.simulate
                    drawn = SplitData.draw(prepared, split=_keys.TRAIN, config=simulation, seed=task.seed)
                    model.training_fractions = drawn.fractions
                named = match_genes(bulk, prepared.var)
                (fractions,) = baseline_fractions(model, named, methods=[task.method]).values()
            if task.bulk.estimand == "rna":
                content = model.reference_signature.all_genes.rna_content
                fractions[:] = rna_fractions(fractions.to_numpy(), content)
            intervals = None
    facts = {
        "seconds": round(sum(record.timings.values()), 3),
        "seconds_of_stages": record.timings,
        "peak_memory_mb": peak_memory_mb(),
        "genes": len(model.reference_signature.model_genes.genes),
        "notes": list(dict.fromkeys(str(w.message) for w in caught if isinstance(w.message, HPVADEWarning))),
    }
    return Estimate(fractions, facts, intervals)


def load_reference(reference: BenchmarkReference) -> AnnData:
    """Read the members of a reference, drop and rename labels, and combine them for `HPVADE`.

    Raises
    ------
    InputError
        A file cannot be used, or lacks a label that the manifest names.
    """
    parts = {}
    for name, entry in reference.members.items():
        cells = read_reference(
            entry.path, labels_key=entry.labels_key, donor_key=entry.donor_key, layer=entry.layer
        )
        labels = cells.obs[entry.labels_key]
        present = sorted(set(labels[~is_missing_label(labels)].astype(str)))
        if reference.labels is None:
            gone = {*entry.drop_labels, *reference.left_out}
            new_of = {label: label for label in present if label not in gone}
            named = [label for labels in reference.coarse.values() for label in labels]
        else:
            new_of = dict(reference.labels[name])
            named = list(new_of)
        for label in [*named, *entry.drop_labels]:
            if label not in present:
                msg = (
                    f"The manifest lists the label '{label}', which is not in obs['{entry.labels_key}'] of "
                    f"{entry.path}. Labels: {', '.join(present)}.{suggest(label, present)}"
                )
                raise LabelError(msg)
        rows = [(label, new_of.get(label, "")) for label in ["", *present]]
        label_map = pd.DataFrame(rows, columns=["label", "cell_type"])
        cells = apply_label_map(cells, label_map, labels_key=entry.labels_key, name=name)
        obs = {_keys.CELL_TYPE: cells.obs[entry.labels_key]}
        if entry.donor_key is not None:
            obs[_DONOR] = cells.obs[entry.donor_key]
        cells.obs = pd.DataFrame(obs)
        parts[name] = cells
    donor_key = _DONOR if any(entry.donor_key for entry in reference.members.values()) else None
    combined = combine_references(
        parts, labels_key=_keys.CELL_TYPE, donor_key=donor_key, allow_missing_types=True
    )
    HPVADE.setup_anndata(combined, labels_key=_keys.CELL_TYPE, donor_key=donor_key)
    return combined
