"""Reading ahead: items are made by threads while the reader works on those before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Out = TypeVar("Out")


def batches_ahead(make: Callable[[Item], Out], items: Sequence[Item], size: int, jobs: int) -> Iterator[list[Out]]:
    """``make(item)`` of every item, in order, in lists of at most `size`; two lists are under way beside the reader's.

    Raises:
        Exception: whatever `make` raises, when its list is read.
    """
    with ThreadPoolExecutor(jobs) as pool:
        left = iter(items)
        waiting: deque[Future[Out]] = deque(pool.submit(make, item) for item in islice(left, 2 * size))
        try:
            while waiting:
                waiting.extend(pool.submit(make, item) for item in islice(left, size))
                yield [waiting.popleft().result() for _ in range(min(size, len(waiting)))]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
