"""What the process of a job does: it waits for a task, tells how far it is, and ends."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hpvade._errors import HPVADEError
from hpvade._warnings import HPVADEWarning

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from hpvade.app._choices import Choices
    from hpvade.jobs import ReferenceOptions


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    Attributes
    ----------
    kind
        Look at the files, or do the job with them.
    choices
        Which files, and how.
    output
        Folder that a run writes.
    """

    kind: Literal["check", "run"]
    choices: Choices
    output: Path


def work(connection: Connection, folder: Path) -> None:
    """Wait for a task and do it; messages are JSON, so that nothing that comes back needs unpickling.

    Temporary files go to ``folder``: a process that is killed cannot remove its own.

    The process leads a group of its own: it and what it starts can be ended at once, and Ctrl-C in the
    terminal does not reach them.
    """
    os.setsid()
    os.environ["TMPDIR"] = str(folder)
    import hpvade.jobs  # noqa: F401, PLC0415 - takes seconds; done while nothing is asked for

    try:
        task: Task = connection.recv()
    except EOFError:  # nobody needs this process
        return
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    _Worker(connection, task).work()


def _end_with(connection: Connection) -> None:
    """End the group when the server has ended, however that happened: nothing is ever sent here."""
    with suppress(EOFError, OSError):
        connection.recv_bytes()
    os.killpg(0, signal.SIGKILL)


class _Worker:
    def __init__(self, connection: Connection, task: Task) -> None:
        self.connection, self.task = connection, task
        self._noted: set[str] = set()

    def work(self) -> None:
        warnings.simplefilter("always", HPVADEWarning)
        warnings.showwarning = self._show_warning  # type: ignore[assignment]
        try:
            answer = _check(self.task.choices) if self.task.kind == "check" else self._run()
        except HPVADEError as error:
            self.tell("failed", message=str(error))
        else:
            self.tell("done", answer=answer)

    def tell(self, what: str, **values: Any) -> None:  # noqa: ANN401
        text = json.dumps({"what": what, **values})
        for source in self.task.choices.sources:
            if source.uploaded:  # its owner knows it by another name
                place, name = json.dumps(str(source.path))[1:-1], json.dumps(source.name)[1:-1]
                text = text.replace(place, name)
        self.connection.send_bytes(text.encode())

    def _show_warning(self, message: Warning | str, category: type[Warning], *_args: object) -> None:
        if issubclass(category, HPVADEWarning) and str(message) not in self._noted:
            self._noted.add(str(message))
            self.tell("note", message=str(message))

    def _run(self) -> dict[str, Any]:
        from hpvade import jobs  # noqa: PLC0415 - was imported before the task came

        choices, output = self.task.choices, self.task.output
        options = choices.options
        train = jobs.TrainOptions(options.preset, options.changes, on_epoch=self._epoch)
        if choices.is_demo:
            jobs.demo_files(output, train=train, seed=options.seed, on_stage=self._stage)
            return _summary(output)
        reference, bulk = choices.paths
        if choices.reference is not None and choices.reference.kind == "model":
            jobs.deconvolve_files(
                reference,
                bulk,
                output,
                bulk_unit=options.bulk_unit,
                on_stage=self._stage,
                on_block=self._block,
            )
        else:
            jobs.run_files(
                [reference],
                bulk,
                output,
                bulk_unit=options.bulk_unit,
                options=_reference_options(choices),
                train=train,
                seed=options.seed,
                on_stage=self._stage,
            )
        return _summary(output)

    def _stage(self, name: str) -> None:
        self.tell("stage", name=name)

    def _epoch(self, row: dict[str, float], last: int) -> None:
        self.tell("epoch", row=_without_nan(row), last=last)

    def _block(self, name: str, done: int, total: int) -> None:
        self.tell("block", name=name, done=done, total=total)


def _check(choices: Choices) -> dict[str, Any]:
    from hpvade import jobs  # noqa: PLC0415 - was imported before the task came

    options = choices.options
    if choices.is_demo:
        return jobs.validate_demo(seed=options.seed).to_dict() | {"columns": []}
    reference, bulk = choices.paths
    if choices.reference is not None and choices.reference.kind == "model":
        report = jobs.validate_for_model(reference, bulk, bulk_unit=options.bulk_unit)
    else:
        report = jobs.validate_files(
            reference,
            bulk,
            options=_reference_options(choices),
            bulk_unit=options.bulk_unit,
            changes=options.changes,
        )
    return report.to_dict() | {"columns": _columns(reference)}


def _reference_options(choices: Choices) -> ReferenceOptions:
    from hpvade.jobs import ReferenceOptions  # noqa: PLC0415

    return ReferenceOptions(
        choices.options.labels_key,
        choices.options.donor_key or None,
        label_map=None if choices.label_map is None else choices.label_map.path,
    )


def _columns(reference: Path) -> list[str]:
    """Return the columns of an h5ad file's ``obs``, to choose labels and donors from."""
    import h5py  # noqa: PLC0415 - the server does not need it

    if reference.suffix != ".h5ad":
        return []
    with suppress(OSError, KeyError), h5py.File(reference, "r") as file:  # the report says what is wrong
        return [str(column) for column in file["obs"].attrs.get("column-order", [])]
    return []


def _summary(output: Path) -> dict[str, Any]:
    """Tell what the report does not: how many samples, and the accuracy where it is known."""
    import pandas as pd  # noqa: PLC0415 - the server does not need it

    from hpvade.io import read_fractions  # noqa: PLC0415

    accuracy: list[list[Any]] = []
    if (output / "accuracy.tsv").exists():
        table = pd.read_csv(output / "accuracy.tsv", sep="\t")
        accuracy = [list(table.columns), *(list(row) for row in table.astype(object).to_numpy())]
        accuracy = [[None if isinstance(x, float) and math.isnan(x) else x for x in row] for row in accuracy]
    return {"n_samples": len(read_fractions(output / "fractions.tsv")), "accuracy": accuracy}


def _without_nan(row: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else float(value) for name, value in row.items()}
