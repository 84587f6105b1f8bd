"""The process of a job: it can be ended at any time, and a crash does not affect the pages."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hpvade._errors import HPVADEError
from hpvade._process import interrupts_blocked
from hpvade._warnings import HPVADEWarning
from hpvade.app._tasks import Task, run_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path


class Worker:
    """A process that does one task. It is started early, because its imports take seconds.

    Parameters
    ----------
    folder
        Where a folder for its temporary files is made; it is removed when the process ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = tempfile.mkdtemp(prefix="worker-", dir=folder)
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, self._folder))
        with interrupts_blocked():
            self._process.start()
        theirs.close()

    def is_alive(self) -> bool:
        """Whether the process can still do a task."""
        return self._process.is_alive()

    def start(self, task: Task) -> None:
        """Send the task to the process."""
        self._connection.send(task)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the messages of the process until it ends."""
        with suppress(EOFError, OSError):
            while True:
                yield json.loads(self._connection.recv_bytes())

    def end(self) -> int:
        """End the process and all that it started, at once; returns its exit code."""
        self._process.join(0.0)
        if self._process.is_alive():
            if sys.platform != "win32":
                with suppress(ProcessLookupError):  # the process has no group yet
                    os.killpg(self._process.pid or 0, signal.SIGKILL)
            self._process.kill()
        return self.wait()

    def wait(self) -> int:
        """Wait until the process ends; returns its exit code."""
        self._process.join()
        shutil.rmtree(self._folder, ignore_errors=True)
        return self._process.exitcode or 0


def _main(connection: Connection, folder: str) -> None:
    """Wait for a task and do it, in the process of a worker.

    Messages are JSON, so that the server unpickles nothing. Temporary files go to ``folder``, because a
    process that is killed cannot remove them. The process has a group of its own: the server can end it
    together with all that it started, and Ctrl-C in the terminal does not reach it.
    """
    if sys.platform != "win32":
        os.setsid()
    os.environ["TMPDIR"] = folder
    import hpvade.jobs  # noqa: F401, PLC0415 - takes seconds, so it is done before there is a task

    try:
        task: Task = connection.recv()
    except EOFError:  # the server has ended
        return
    threading.Thread(target=_end_with_server, args=(connection,), daemon=True).start()
    _send_result(task, connection)


def _end_with_server(connection: Connection) -> None:
    """End the group of processes when the server ends, for whatever reason: it never sends anything here."""
    with suppress(EOFError, OSError):
        connection.recv_bytes()
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _send_result(task: Task, connection: Connection) -> None:
    """Do the task; send its progress, its warnings, and its result or error."""
    reported: set[str] = set()

    def send(event: str, **values: Any) -> None:  # noqa: ANN401
        text = json.dumps({"event": event, **values})
        for source in task.selection.sources:
            if source.uploaded:  # the user knows it by another name
                path, name = json.dumps(str(source.path))[1:-1], json.dumps(source.name)[1:-1]
                text = text.replace(path, name)
        connection.send_bytes(text.encode())

    def show_warning(message: Warning | str, category: type[Warning], *_args: object) -> None:
        if issubclass(category, HPVADEWarning) and str(message) not in reported:
            reported.add(str(message))
            send("warning", message=str(message))

    warnings.simplefilter("always", HPVADEWarning)
    warnings.showwarning = show_warning  # type: ignore[assignment]
    try:
        result = run_task(task, send)
    except HPVADEError as error:
        send("failed", message=str(error))
    else:
        send("done", result=result)
