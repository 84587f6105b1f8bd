"""The number of threads never changes the result."""

from __future__ import annotations

import threading

import pytest
import torch

import hpvade
from hpvade._threads import map_in_threads
from hpvade.model import Deconvolver


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_results_come_in_order_and_items_are_read_when_needed():
    taken = []

    def items():
        for i in range(20):
            taken.append(i)
            yield i

    both = threading.Barrier(2, timeout=300)  # passed by two calls at once; the timeout only ends a hang

    def double(i):
        both.wait()
        assert torch.get_num_threads() == 1
        return 2 * i

    results = map_in_threads(double, items())
    assert next(results) == 0
    assert len(taken) <= 4
    assert [0, *results] == list(range(0, 40, 2))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_an_error_is_raised_and_restores_the_threads():
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda i: 1 / i, [1, 0, 1]))
    assert torch.get_num_threads() == 2


def test_threads_do_not_change_fractions():
    reference = hpvade.testing.tiny_reference()
    hpvade.HPVADE.setup_anndata(reference)
    bulk = hpvade.testing.tiny_bulk(reference, n_samples=30)
    model = hpvade.HPVADE(reference, preset="fast", config={"train": {"max_epochs": 1}})
    model.train()
    before, found = torch.get_num_threads(), []
    for threads, blocks in ((1, 3), (2, 3), (3, 3), (1, 1), (2, 1)):
        torch.set_num_threads(threads)
        given = (bulk[at : at + 10] for at in range(0, 10 * blocks, 10))
        first, *_ = Deconvolver(model.trained, bulk).answers(given)
        found.append(first.fractions)
    torch.set_num_threads(before)
    assert all(other.equals(found[0]) for other in found[1:])


@pytest.mark.usefixtures("two_threads")
def test_a_single_item_is_processed_in_one_thread():
    assert list(map_in_threads(lambda _: torch.get_num_threads(), [0])) == [1]


@pytest.mark.usefixtures("two_threads")
def test_a_closed_iterator_restores_the_threads():
    results = map_in_threads(abs, range(10))
    next(results)
    results.close()
    assert torch.get_num_threads() == 2
