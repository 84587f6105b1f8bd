"""What the pages are about: the choices, the check, the run. There is one of each, however many tabs."""

from __future__ import annotations

import shutil
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from hpvade.app._choices import DEMO, Choices, Source, list_sources, read_options
from hpvade.app._job import Job, Worker
from hpvade.app._request_error import RequestError
from hpvade.app._work import Task

if TYPE_CHECKING:
    from pathlib import Path

    from hpvade.app._uploads import Form, Upload


class Session:
    """Holds the choices and the jobs of one server.

    All but `warm` is called from the server's one thread, so little here is locked.

    Parameters
    ----------
    folder
        Where temporary files may be written; whoever made it removes it.
    data
        Folder whose files can be picked.
    """

    def __init__(self, folder: Path, *, data: Path) -> None:
        self.folder, self.data = folder, data
        self.choices = Choices()
        self.check: Job | None = None
        self.run: Job | None = None
        self.uploading = False
        self._count = 0
        self._waiting: Worker | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self.run is not None and self.run.state == "running"

    @property
    def ready(self) -> bool:
        """Whether the check of these choices found no error."""
        return self.check is not None and self.check.state == "done" and bool(self.check.answer["ok"])

    @property
    def results(self) -> Path | None:
        """Folder of the results, if there are any."""
        return self.run.task.output if self.run is not None and self.run.state == "done" else None

    def sources(self) -> list[Source]:
        """List what can be picked."""
        return list_sources(self.data)

    def warm(self) -> None:
        """Have a process wait for the next task."""
        with self._lock:
            if self._waiting is not None and not self._waiting.is_alive():
                self._waiting = None
            if self._waiting is None and not self._closed:
                self._waiting = Worker(self.folder)

    def refuse_if_busy(self) -> None:
        """Refuse to change what a run is using.

        Raises
        ------
        RequestError
            A run is under way.
        """
        if self.busy:
            msg = "A run is going on, and there is one at a time. Wait for its end, or cancel it first."
            raise RequestError(msg, status=HTTPStatus.CONFLICT)

    def take(self, form: Form) -> None:
        """Change the choices as a form says.

        Raises
        ------
        RequestError
            What is chosen is not there, or an option cannot be used. The choices stay as they were.
        """
        self.refuse_if_busy()  # one may have begun while the form was arriving
        options = read_options(form.texts)
        if "demo" in form.texts:
            self._change(Choices(reference=DEMO, options=options))
            return
        there = self.sources()
        new = Choices(
            reference=self._chosen(form, "reference", there),
            bulk=self._chosen(form, "bulk", there),
            label_map=self._chosen(form, "label_map", there),
            options=options,
        )
        if new.is_demo and new.bulk is not None:
            msg = "The demo data come with bulk samples of their own. Choose a reference or a model too."
            raise RequestError(msg)
        self._change(new)

    def _chosen(
        self, form: Form, what: Literal["reference", "bulk", "label_map"], there: list[Source]
    ) -> Source | None:
        """Find what a form chooses: an upload, a file of the folder, or what was chosen before."""
        if what in form.uploads:
            return _uploaded(form.uploads[what], what)
        key = form.texts.get(f"{what}_pick", "kept")
        if key in {"", "kept"}:
            before: Source | None = getattr(self.choices, what)
            return before if key == "kept" else None
        kinds = {"reference", "model"} if what == "reference" else {what}
        picked = next((source for source in there if source.key == key and source.kind in kinds), None)
        if picked is None:
            msg = f"'{key.partition(':')[2]}' is not, or no longer, in {self.data.name}. Choose again."
            raise RequestError(msg)
        return picked

    def _change(self, new: Choices) -> None:
        old, self.choices = self.choices, new
        self._end_check()
        for source in old.sources:
            if source not in new.sources:
                _remove(source)

    def start_check(self) -> None:
        """Look at what was chosen."""
        self._end_check()
        self.check = self._start("check")

    def start_run(self, number: int) -> None:
        """Begin the run that a check allowed, if none is going on; earlier results are removed.

        Raises
        ------
        RequestError
            The check that this follows is not the last one, or found errors.
        """
        if self.busy:
            return
        if not self.ready or self.check is None or self.check.number != number:
            msg = (
                "The choices have changed since, perhaps in another window. Look at the check, and start "
                "from there."
            )
            raise RequestError(msg, status=HTTPStatus.CONFLICT)
        self._forget_run()
        self.run = self._start("run")

    def cancel(self) -> None:
        """End what is going on; nothing of it is left but the choices."""
        if self.busy and self.run is not None:
            self.run.cancel()
            shutil.rmtree(self.run.task.output.parent, ignore_errors=True)
        elif self.check is not None and self.check.state == "running":
            self._end_check()
        self.warm()

    def start_over(self) -> None:
        """Forget choices, uploads and results.

        Raises
        ------
        RequestError
            A run is under way.
        """
        self.refuse_if_busy()
        self._forget_run()
        self._change(Choices())

    def close(self) -> None:
        """End all processes; nothing can be started afterwards."""
        for job in (self.check, self.run):
            if job is not None:
                job.cancel()
        with self._lock:
            self._closed = True
            if self._waiting is not None:
                self._waiting.end()

    def _start(self, kind: Literal["check", "run"]) -> Job:
        self._count += 1
        task = Task(kind, self.choices, self.folder / f"{kind}-{self._count}" / "results")
        self.warm()
        with self._lock:
            worker, self._waiting = self._waiting, None
        if worker is None:
            msg = "hpvade app is being closed."
            raise RequestError(msg, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return Job(self._count, task, worker=worker, on_end=lambda: self._tidy(task))

    def _tidy(self, task: Task) -> None:
        """Remove what a run that failed has left, and get ready for the next task; in the job's thread."""
        if not task.output.exists():
            shutil.rmtree(task.output.parent, ignore_errors=True)
        self.warm()

    def _end_check(self) -> None:
        if self.check is not None:
            self.check.cancel()
            self.check = None

    def _forget_run(self) -> None:
        if self.run is not None:
            self.run.cancel()
            shutil.rmtree(self.run.task.output.parent, ignore_errors=True)
            self.run = None


def _uploaded(upload: Upload, what: Literal["reference", "bulk", "label_map"]) -> Source:
    if upload.path.suffix == ".zip":
        return Source("model", upload.name, upload.folder / "model", uploaded=True)
    return Source(what, upload.name, upload.path, uploaded=True)


def _remove(source: Source) -> None:
    if source.uploaded and source.path is not None:
        shutil.rmtree(source.path.parent, ignore_errors=True)
