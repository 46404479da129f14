"""Work over cores: chunks are mapped, a chunk whose worker died is done again, results come back as they finish.

Threads serve work that releases the interpreter lock (decoding and matching in Rust or C), processes the rest. The
journal, the retry and the single writer are ours; joblib (loky, Dask, Ray) only runs chunks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Literal, TypeVar

Item = TypeVar("Item")
Out = TypeVar("Out")

ATTEMPTS = 3


def default_jobs() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """`items` in order, cut into pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def map_chunks(
    work: Callable[[Sequence[Item]], Out],
    pieces: Sequence[Sequence[Item]],
    *,
    jobs: int,
    workers: Literal["threads", "processes"] = "threads",
) -> Iterator[Out]:
    """`work(piece)` for every piece, in order of completion.

    A piece whose worker process was killed is given out again, three times at the most.

    Raises:
        RuntimeError: the same piece has killed its worker three times.
        Exception: whatever `work` raises.
    """
    if jobs == 1 or len(pieces) <= 1:
        yield from map(work, pieces)
    elif workers == "threads":
        yield from _threads(work, pieces, jobs)
    else:
        yield from _processes(work, pieces, jobs)


def _threads(work: Callable[[Sequence[Item]], Out], pieces: Sequence[Sequence[Item]], jobs: int) -> Iterator[Out]:
    with ThreadPoolExecutor(jobs) as pool:
        waiting: set[Future[Out]] = set()
        try:
            for piece in pieces:
                waiting.add(pool.submit(work, piece))
                if len(waiting) >= 2 * jobs:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _processes(work: Callable[[Sequence[Item]], Out], pieces: Sequence[Sequence[Item]], jobs: int) -> Iterator[Out]:
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = dict(enumerate(pieces))
    for _ in range(ATTEMPTS):
        mapped = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")(
            joblib.delayed(_numbered)(work, number, piece) for number, piece in list(left.items())
        )
        try:
            for number, out in mapped:
                del left[number]
                yield out
        except TerminatedWorkerError:
            continue
        return
    raise RuntimeError(f"Worker processes were killed {ATTEMPTS} times; {len(left)} pieces of work are not done.")


def _numbered(work: Callable[[Any], Out], number: int, piece: Any) -> tuple[int, Out]:
    return number, work(piece)
