"""Reading ahead: the same items in the same order, made while the reader works, and no further ahead than told."""

from __future__ import annotations

import threading

import pytest

from vismark.runtime.ahead import batches_ahead


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
def test_everything_in_order(count: int) -> None:
    found = list(batches_ahead(lambda n: n * n, range(count), 4, jobs=3))
    assert [one for batch in found for one in batch] == [n * n for n in range(count)]
    assert all(len(batch) == 4 for batch in found[:-1])


def test_two_batches_are_under_way_and_no_more() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def make(n: int) -> int:
        with lock:
            started.append(n)
        return n

    batches = batches_ahead(make, range(100), 5, jobs=2)
    next(batches)
    while len(started) < 15:
        pass
    assert max(started) == 14
    batches.close()  # type: ignore[attr-defined]
    assert len(started) == 15


def test_a_fault_arrives_at_the_reader() -> None:
    with pytest.raises(ZeroDivisionError):
        list(batches_ahead(lambda n: 1 // n, [1, 0, 2], 1, jobs=1))
