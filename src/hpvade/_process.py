"""Function calls in a separate process, whose peak memory is that of the call; signals that end a process."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

from hpvade._errors import HPVADEError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_own_process(
    function: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Result:
    """Call a function in a new interpreter and return its result.

    Ctrl-C ends the process at once, so a function that writes files may leave an incomplete one.

    Parameters
    ----------
    function
        A function of a module. The function, its arguments and its result must be picklable.

    Raises
    ------
    HPVADEError
        The function raised it, or the process ended without a result. Any other exception is shown on stderr.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(sender, function, arguments, named))
    with interrupts_blocked():
        process.start()
    sender.close()
    try:
        result: Result | HPVADEError = receiver.recv()
    except EOFError as error:
        process.join()
        msg = f"The process ended without a result, with exit code {process.exitcode}."
        if process.exitcode and process.exitcode < 0:
            msg += " The system ended it, perhaps because it ran out of memory."
        raise HPVADEError(msg) from error
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(result, HPVADEError):
        raise result
    return result


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in processes started here (a terminal sends it to all); it arrives here afterwards."""
    if sys.platform == "win32":  # has no signal masks; Ctrl-C then reaches the new process too
        yield
        return
    resource_tracker.ensure_running()  # otherwise multiprocessing starts it here and then unblocks Ctrl-C
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _send_result(
    sender: Connection,
    function: Callable[..., object],
    arguments: tuple[object, ...],
    named: dict[str, object],
) -> None:
    """Send the result of the function, or the error of hpvade that it raises."""
    try:
        result = function(*arguments, **named)
    except HPVADEError as error:
        result = error
    sender.send(result)


class Terminated(SystemExit):
    """The system asked the program to end; the exit code is 128 and the number of the signal."""


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Let signals that end a program raise `Terminated`, so that it cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def exit_(number: int, _frame: object) -> NoReturn:
        raise Terminated(128 + number)

    numbers = [signal.SIGTERM]
    if sys.platform != "win32":
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, exit_)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
