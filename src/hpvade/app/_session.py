"""The session of a server: one selection, one check and one run, shared by all browser tabs."""

from __future__ import annotations

import shutil
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from hpvade.app._job import Job
from hpvade.app._request_error import RequestError
from hpvade.app._selection import DEMO, Field, Kind, Selection, Source, list_sources, read_options
from hpvade.app._tasks import Task
from hpvade.app._worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade.app._uploads import Form, Upload

# Field of the form → what can be selected there; an upload is of the first kind.
_KINDS: Final[dict[Field, tuple[Kind, ...]]] = {
    "reference": ("reference", "model"),
    "bulk": ("bulk",),
    "label_map": ("small_table",),
    "labels": ("small_table",),
}


class Session:
    """The selection and the jobs of one server.

    Only `start_worker` is called from other threads than the server's, so little is locked.

    Parameters
    ----------
    folder
        For temporary files; the caller removes it.
    data
        Folder with files to choose from.
    """

    def __init__(self, folder: Path, *, data: Path) -> None:
        self.folder, self.data = folder, data
        self.selection = Selection()
        self.check: Job | None = None
        self.run: Job | None = None
        self.uploading = False
        self._count = 0
        self._worker: Worker | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.run is not None and self.run.state == "running"

    @property
    def ready(self) -> bool:
        """Whether the check of this selection found no error."""
        return self.check is not None and self.check.state == "done" and bool(self.check.result["ok"])

    @property
    def results(self) -> Path | None:
        """Folder of the results; None without results."""
        return self.run.task.output if self.run is not None and self.run.state == "done" else None

    def sources(self) -> list[Source]:
        """List the files to choose from."""
        return list_sources(self.data)

    def start_worker(self) -> None:
        """Start a process that waits for the next task, if there is none."""
        with self._lock:
            if self._worker is not None and not self._worker.is_alive():
                self._worker = None
            if self._worker is None and not self._closed:
                self._worker = Worker(self.folder)

    def refuse_if_busy(self) -> None:
        """Refuse to change the files of a run in progress.

        Raises
        ------
        RequestError
            A run is in progress.
        """
        if self.busy:
            msg = "A run is in progress. Wait until it ends, or cancel it."
            raise RequestError(msg, status=HTTPStatus.CONFLICT)

    def select(self, form: Form) -> None:
        """Change the selection to that of a form.

        Raises
        ------
        RequestError
            A file does not exist, or an option is not valid. The selection stays as it was.
        """
        self.refuse_if_busy()  # a run may have started while the form was arriving
        options = read_options(form.texts)
        if "demo" in form.texts:
            self._change(Selection(reference=DEMO, options=options))
            return
        sources = self.sources()
        new = Selection(
            reference=self._find_source(form, "reference", sources),
            bulk=self._find_source(form, "bulk", sources),
            label_map=self._find_source(form, "label_map", sources),
            labels=self._find_source(form, "labels", sources),
            options=options,
        )
        if new.is_demo and new.bulk is not None:
            msg = "The demo data include bulk samples. Select a reference or a model for your own bulk table."
            raise RequestError(msg)
        self._change(new)

    def _find_source(self, form: Form, field: Field, sources: list[Source]) -> Source | None:
        """Find the file that a form selects: an upload, a file of the folder, or the previous selection."""
        if field in form.uploads:
            return _uploaded(form.uploads[field], _KINDS[field][0])
        key = form.texts.get(f"{field}_choice", "keep")
        if key == "":
            return None
        if key == "keep":
            previous: Source | None = getattr(self.selection, field)
            return previous
        kinds = _KINDS[field]
        found = next((source for source in sources if source.key == key and source.kind in kinds), None)
        if found is None:
            msg = f"'{key.partition(':')[2]}' is no longer in {self.data.name}. Choose another file."
            raise RequestError(msg)
        return found

    def _change(self, new: Selection) -> None:
        old, self.selection = self.selection, new
        self._end_check()
        for source in old.sources:
            if source not in new.sources:
                _remove(source)

    def start_check(self) -> None:
        """Start a check of the selection."""
        self._end_check()
        self.check = self._start("check")

    def start_run(self, number: int) -> None:
        """Start the run after a check, unless a run is in progress; earlier results are removed.

        Parameters
        ----------
        number
            Number of the check that the user saw.

        Raises
        ------
        RequestError
            It is not the latest check, or it found errors.
        """
        if self.busy:
            return
        if not self.ready or self.check is None or self.check.number != number:
            msg = "The selection has changed, perhaps in another window. Review the check and run again."
            raise RequestError(msg, status=HTTPStatus.CONFLICT)
        self._forget_run()
        self.run = self._start("run", n_samples=int(self.check.result["facts"]["n_samples"]))

    def cancel(self) -> None:
        """Cancel the run or the check in progress; the selection is kept."""
        if self.busy and self.run is not None:
            self.run.cancel()
            shutil.rmtree(self.run.task.output.parent, ignore_errors=True)
        elif self.check is not None and self.check.state == "running":
            self._end_check()
        self.start_worker()

    def start_over(self) -> None:
        """Remove the selection, uploads and results.

        Raises
        ------
        RequestError
            A run is in progress.
        """
        self.refuse_if_busy()
        self._forget_run()
        self._change(Selection())

    def close(self) -> None:
        """End all processes; no other can be started."""
        for job in (self.check, self.run):
            if job is not None:
                job.cancel()
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.end()

    def _start(self, kind: Literal["check", "run"], *, n_samples: int = 0) -> Job:
        self._count += 1
        task = Task(kind, self.selection, self.folder / f"{kind}-{self._count}" / "results", n_samples)
        self.start_worker()
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is None:
            msg = "hpvade app is closing."
            raise RequestError(msg, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return Job(self._count, task, worker=worker, on_end=lambda: self._clean_up(task))

    def _clean_up(self, task: Task) -> None:
        """Remove the files of a failed run, and prepare for the next task; called in the job's thread."""
        if not task.output.exists():
            shutil.rmtree(task.output.parent, ignore_errors=True)
        self.start_worker()

    def _end_check(self) -> None:
        if self.check is not None:
            self.check.cancel()
            self.check = None

    def _forget_run(self) -> None:
        if self.run is not None:
            self.run.cancel()
            shutil.rmtree(self.run.task.output.parent, ignore_errors=True)
            self.run = None


def _uploaded(upload: Upload, kind: Kind) -> Source:
    if upload.path.suffix == ".zip":
        return Source("model", upload.name, upload.folder / "model", uploaded=True)
    return Source(kind, upload.name, upload.path, uploaded=True)


def _remove(source: Source) -> None:
    if source.uploaded and source.path is not None:
        shutil.rmtree(source.path.parent, ignore_errors=True)
