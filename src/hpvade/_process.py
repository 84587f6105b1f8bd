"""A call in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from hpvade._errors import HPVADEError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def in_own_process(
    function: Callable[Arguments, Answer], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Answer:
    """Call a function in a fresh interpreter and return its answer.

    Ctrl-C ends the process at once, so a function that writes files could leave half of one.

    Parameters
    ----------
    function
        A function of a module; it, its arguments and its answer must be picklable.

    Raises
    ------
    HPVADEError
        What the function raised of this kind; or the process ended without an answer. Any other exception
        is shown on stderr.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments, named))
    with interrupts_wait():
        process.start()
    sender.close()
    try:
        answer: Answer | HPVADEError = receiver.recv()
    except EOFError as error:
        process.join()
        msg = f"The process ended without an answer, with exit code {process.exitcode}."
        if process.exitcode and process.exitcode < 0:
            msg += " The system ended it: perhaps memory ran out."
        raise HPVADEError(msg) from error
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(answer, HPVADEError):
        raise answer
    return answer


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all, from what is started here; it comes to us afterwards."""
    resource_tracker.ensure_running()  # multiprocessing would start it in here and then lift the mask
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _answer(
    sender: Connection,
    function: Callable[..., object],
    arguments: tuple[object, ...],
    named: dict[str, object],
) -> None:
    """Send what the function returns, or the error of hpvade that it raises."""
    try:
        answer = function(*arguments, **named)
    except HPVADEError as error:
        answer = error
    sender.send(answer)
