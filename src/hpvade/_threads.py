"""Work in as many processor threads as torch was given."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

import torch
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Call a function on each item, in as many threads as torch may use.

    Torch and NumPy then work in one thread for each item. That pays where a function calls many small
    operations, which are slower in several threads than in one. Items are taken as threads become free, so
    that few are held at once; results come in order.
    """
    n_threads = torch.get_num_threads()
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2 or n_threads == 1:
        yield from map(function, chain(first, items))
        return
    torch.set_num_threads(1)
    waiting: deque[Future[Result]] = deque()
    try:
        with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
            for item in chain(first, items):
                waiting.append(pool.submit(function, item))
                if len(waiting) > n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(n_threads)
