"""The tasks of the page, done by `hpvade.jobs`; its imports take seconds, so the server leaves them out."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from hpvade.app._selection import Selection
    from hpvade.jobs import BulkOptions, ReferenceOptions


@dataclass(frozen=True, slots=True)
class Task:
    """What a job does.

    Attributes
    ----------
    kind
        Check the files, or run the analysis.
    selection
        The files and options.
    output
        Folder that a run writes.
    n_samples
        Number of bulk samples, as found by the check before a run.
    """

    kind: Literal["check", "run"]
    selection: Selection
    output: Path
    n_samples: int = 0


class Send(Protocol):
    """Sends an event to the server."""

    def __call__(self, event: str, **values: Any) -> None:  # noqa: ANN401
        """Send an event and its values, which must be JSON-able."""


def run_task(task: Task, send: Send) -> dict[str, Any]:
    """Do a task, and return a JSON-able result.

    ``send`` is called with the progress: ``stage`` (name), ``epoch`` (row, last) and ``block`` (name, done,
    total).
    """
    return _check(task.selection) if task.kind == "check" else _run(task, send)


def _check(selection: Selection) -> dict[str, Any]:
    from hpvade import jobs  # noqa: PLC0415

    options = selection.options
    if selection.is_demo:
        return jobs.validate_demo(seed=options.seed).to_dict() | {"columns": []}
    reference, bulk = selection.paths
    if selection.is_model:
        report = jobs.validate_for_model(reference, bulk, bulk_options=_bulk_options(selection))
    else:
        report = jobs.validate_files(
            reference,
            bulk,
            options=_reference_options(selection),
            bulk_options=_bulk_options(selection),
            changes=options.changes,
        )
    return report.to_dict() | {"columns": _obs_columns(reference)}


def _run(task: Task, send: Send) -> dict[str, Any]:
    from hpvade import jobs, results  # noqa: PLC0415

    def on_stage(name: str) -> None:
        send("stage", name=name)

    def on_epoch(row: dict[str, float], last: int) -> None:
        send("epoch", row={name: _without_nan(float(value)) for name, value in row.items()}, last=last)

    def on_block(name: str, done: int, total: int) -> None:
        send("block", name=name, done=done, total=total)

    selection, options = task.selection, task.selection.options
    train = jobs.TrainOptions(options.preset, options.changes, on_epoch=on_epoch)
    accuracy: list[list[Any]] = []
    if selection.is_demo:
        table = jobs.demo_files(task.output, train=train, seed=options.seed, on_stage=on_stage)
        accuracy = [] if table is None else _rows(table)
    elif selection.is_model:
        model, bulk = selection.paths
        jobs.deconvolve_files(
            model,
            bulk,
            task.output,
            bulk_options=_bulk_options(selection),
            on_stage=on_stage,
            on_block=on_block,
        )
    else:
        reference, bulk = selection.paths
        jobs.run_files(
            [reference],
            bulk,
            task.output,
            bulk_options=_bulk_options(selection),
            reference_options=_reference_options(selection),
            train=train,
            seed=options.seed,
            on_stage=on_stage,
        )
    return {"accuracy": accuracy, "meanings": dict(results.OUTPUT_FILES)}


def _bulk_options(selection: Selection) -> BulkOptions:
    from hpvade.jobs import BulkOptions  # noqa: PLC0415

    return BulkOptions(selection.options.bulk_unit, selection.options.ignore_case)


def _reference_options(selection: Selection) -> ReferenceOptions:
    from hpvade.jobs import ReferenceOptions  # noqa: PLC0415

    return ReferenceOptions(
        selection.options.labels_key,
        selection.options.donor_key or None,
        layer=selection.options.layer or None,
        label_map=None if selection.label_map is None else selection.label_map.path,
        labels=None if selection.labels is None else selection.labels.path,
    )


def _obs_columns(reference: Path) -> list[str]:
    """Return the columns of ``obs`` of an h5ad file, as suggestions for labels and donors."""
    import h5py  # noqa: PLC0415

    if reference.suffix != ".h5ad":
        return []
    with suppress(OSError, KeyError), h5py.File(reference, "r") as file:  # the report has the error
        return [str(column) for column in file["obs"].attrs.get("column-order", [])]
    return []


def _rows(table: pd.DataFrame) -> list[list[Any]]:
    """Return the header and the rows of a table of numbers, with the index as the first column."""
    values = zip(table.index, table.to_numpy(float).tolist(), strict=True)
    return [["method", *table.columns], *([name, *map(_without_nan, row)] for name, row in values)]


def _without_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
