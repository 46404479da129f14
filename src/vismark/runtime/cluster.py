"""Work over machines: pieces are mapped by the workers of a Dask or Ray cluster.

Workers see the same paths as this process and have the same version of vismark. The journal and the single writer stay
here: a worker only turns a piece into records. A piece whose worker died is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from vismark.problems import Missing, Usage
from vismark.runtime.parallel import ATTEMPTS, default_jobs

Item = TypeVar("Item")
Out = TypeVar("Out")

_KILLED = "Workers were killed again and again by the same piece of work; is there too little memory?"


@dataclass(frozen=True)
class Engine:
    """Which cluster: `address` joins one that runs; without it, one is started on this machine."""

    name: Literal["dask", "ray"]
    address: str = ""


def engine(text: str | None) -> Engine | None:
    """The engine that ``dask``, ``ray``, ``dask=tcp://HOST:8786`` or ``ray=HOST:6379`` names.

    Raises:
        Usage: the text has another form.
    """
    if text is None:
        return None
    name, equals, address = text.partition("=")
    if name not in ("dask", "ray") or bool(equals) != bool(address):
        raise Usage(f"--engine {text!r}: write dask or ray, or with the address of a cluster dask=tcp://HOST:8786.")
    return Engine("dask" if name == "dask" else "ray", address)


def map_on(
    engine: Engine, work: Callable[[Sequence[Item]], Out], pieces: Sequence[Sequence[Item]], jobs: int | None = None
) -> Iterator[Out]:
    """`work(piece)` for every piece, in order of completion.

    Args:
        jobs: workers of a cluster that is started here; by default one a core.

    Raises:
        Missing: the engine is not installed, or there is no cluster at the address.
        RuntimeError: workers died again and again.
        Exception: whatever `work` raises.
    """
    run = _dask if engine.name == "dask" else _ray
    try:
        yield from run(engine.address, jobs or default_jobs(), work, pieces)
    except ModuleNotFoundError as error:
        extra = "'vismark[cluster]'" if engine.name == "dask" else "ray"
        raise Missing(f"--engine {engine.name} needs {error.name}: `pip install {extra}`.") from error


def _dask(
    address: str, jobs: int, work: Callable[[Sequence[Item]], Out], pieces: Sequence[Sequence[Item]]
) -> Iterator[Out]:
    """Through joblib. The scheduler gives a piece whose worker died to another, three times at the most."""
    import distributed
    import joblib

    connect: Any = distributed.Client
    here = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    try:
        client = connect(address) if address else connect(**here)
    except (OSError, ValueError) as error:
        raise Missing(f"No Dask scheduler answers at {address}: {error}.") from error
    # `scatter`: what all pieces share travels to each worker once.
    with client, joblib.parallel_config("dask", client=client, scatter=[work]):
        mapped = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        try:
            yield from mapped(joblib.delayed(_called)(work, piece) for piece in pieces)
        except distributed.scheduler.KilledWorker as error:
            raise RuntimeError(_KILLED) from error


def _ray(
    address: str, jobs: int, work: Callable[[Sequence[Item]], Out], pieces: Sequence[Sequence[Item]]
) -> Iterator[Out]:
    """Through Ray's own tasks: its back end for joblib gives nothing back before all is done."""
    import ray

    options: dict[str, Any] = {"address": address} if address else {"num_cpus": jobs, "include_dashboard": False}
    try:
        ray.init(**options, log_to_driver=False)
    except ConnectionError as error:
        raise Missing(f"No Ray cluster answers at {address}: {error}.") from error
    try:
        shared = ray.put(work)
        task: Any = ray.remote(max_retries=ATTEMPTS)(_called)
        waiting = [task.remote(shared, piece) for piece in pieces]
        while waiting:
            (done,), waiting = ray.wait(waiting, num_returns=1)
            yield ray.get(done)
    except ray.exceptions.WorkerCrashedError as error:
        raise RuntimeError(_KILLED) from error
    finally:
        ray.shutdown()


def _called(work: Callable[[Sequence[Item]], Out], piece: Sequence[Item]) -> Out:
    return work(piece)
