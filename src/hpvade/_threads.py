"""Threads for many small operations: one thread per item instead of several per operation."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Limit torch and NumPy to one thread; yields the number that torch may use otherwise.

    Sums are then computed in one order, on every machine and with any ``--threads``.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield n_threads
    finally:
        torch.set_num_threads(n_threads)


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Call a function on each item, in as many threads as torch may use, each call in one thread.

    Items are read as threads become free, so that few are in memory at once; results come in order. Torch is
    limited to one thread until the iterator is exhausted or closed.
    """
    waiting: deque[Future[Result]] = deque()
    with one_thread_each() as n_threads, ThreadPoolExecutor(n_threads) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def set_threads(threads: int) -> None:
    """Limit the processor threads of this process."""
    torch.set_num_threads(threads)
