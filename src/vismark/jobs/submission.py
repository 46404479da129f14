"""Submission folders that grow prediction by prediction, survive a kill, and are put together when all are there."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from vismark.benchmarks.base import Benchmark
from vismark.jobs.manifest import NAME, RUN_NAME, Manifest
from vismark.problems import refuse
from vismark.results import Run, versions
from vismark.runtime.atomic import sweep, write_bytes
from vismark.runtime.journal import Journal, Locked
from vismark.runtime.shards import Shard
from vismark.tasks import Request

_WORK = ".journal"
_IDS = "ids.json"


class Done(msgspec.Struct, frozen=True):
    """A finished prediction: what its batch cost, and what the official format says of it."""

    id: str
    entry: msgspec.Raw
    seconds: float = 0.0
    calls: int = 0
    peak_bytes: int = 0


class Submission:
    """A folder of predictions for one benchmark (one shard of it).

    Use it as a context manager; ``pending`` gives the questions that have no answer yet, ``write`` stores one answer.
    When every shard is complete, the official files and the manifest are written and the journals removed.

    Raises:
        Refused: the folder holds other work, finished or not; or another process works on this shard.
    """

    def __init__(self, benchmark: Benchmark, references: Any, path: Path, manifest: Manifest, shard: Shard) -> None:
        self.path = path
        self.manifest = manifest
        self.shard = shard
        self.requests = benchmark.requests(references, manifest.seed)
        self.ids: Sequence[str] = manifest.ids if manifest.ids is not None else self.requests.ids
        self.writer = benchmark.writer(path, references)
        self._place = {id: number for number, id in enumerate(self.requests.ids)}
        self._journal: Journal[Done] = self._journal_of(shard.rank)
        self._done: set[str] = set()
        self._started = time.perf_counter()
        self.finished = (path / NAME).is_file()
        if self.finished:
            self._check_same(path / NAME)
            self._tidy()
        else:
            self._begin()

    def pending(self) -> Iterator[Request]:
        """This shard's questions without an answer, in the protocol's order."""
        for id in self.left:
            self._started = time.perf_counter()
            yield self.requests[self._place[id]]

    @property
    def left(self) -> list[str]:
        """Ids of this shard without an answer."""
        return [] if self.finished else [id for id in self.shard.of(self.ids) if id not in self._done]

    def write(self, request: Request, prediction: Any) -> None:
        """Store the answer to one question.

        Raises:
            Refused: the answer does not fit the question; or the question has an answer already.
        """
        self.write_batch([request], [prediction], time.perf_counter() - self._started)

    def write_batch(self, requests: Sequence[Request], predictions: Sequence[Any], seconds: float) -> None:
        """Store the answers to several questions that were computed together in `seconds`."""
        entries = []
        for number, (request, prediction) in enumerate(zip(requests, predictions, strict=True)):
            if request.id in self._done:
                raise refuse("PREDICTION_TWICE", f"{request.id} has a prediction already", item=request.id)
            entry = msgspec.Raw(msgspec.json.encode(self.writer.write(request, prediction)))
            first = number == 0
            entries.append(Done(request.id, entry, seconds if first else 0.0, int(first), _peak_bytes()))
        self._journal.append(entries)
        self._done.update(request.id for request in requests)

    def close(self) -> None:
        """Put the submission together when all shards are complete; else leave the journals for the next attempt."""
        self._journal.close()
        if self.finished or self.left:
            return
        done: dict[str, Done] = {}
        for rank in range(self.manifest.world):
            for record in self._journal_of(rank).read():
                done[record.id] = record
        if all(id in done for id in self.ids):
            self._finish(done)

    def __enter__(self) -> Submission:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._journal.close()

    def _begin(self) -> None:
        plan = self.path / _WORK / "plan.json"
        if plan.is_file():
            self._check_same(plan)
        else:
            write_bytes(plan.with_name(_IDS), msgspec.json.encode(self.ids))
            write_bytes(plan, msgspec.json.encode(self.manifest))
        try:
            self._journal.open()
        except Locked as error:
            fix = "Wait for it, or give each process its own --shard I/N."
            raise refuse(
                "FOLDER_BUSY", "another process is writing this shard now", file=self.path.name, fix=fix
            ) from error
        self._done = {record.id for record in self._journal.read()}

    def _check_same(self, path: Path) -> None:
        there = msgspec.json.decode(path.read_bytes(), type=Manifest)
        if there != self.manifest:
            pairs = zip(
                Manifest.__struct_fields__,
                msgspec.structs.astuple(there),
                msgspec.structs.astuple(self.manifest),
                strict=True,
            )
            changed = ", ".join(f"{name} {_brief(a)} → {_brief(b)}" for name, a, b in pairs if a != b)
            fix = "Use the same settings, or another output folder."
            raise refuse("FOLDER_OTHER_WORK", f"the folder holds other work: {changed}", file=self.path.name, fix=fix)

    def _journal_of(self, rank: int) -> Journal[Done]:
        shard = Shard(rank, self.manifest.world)
        return Journal(self.path / _WORK / f"{shard}.jsonl", self.manifest.key, Done)

    def _finish(self, done: dict[str, Done]) -> None:
        records = [done[id] for id in self.ids]
        self.writer.finish([msgspec.json.decode(record.entry, type=self.writer.entry) for record in records])
        run = Run(
            predictor=self.manifest.predictor,
            settings=self.manifest.settings,
            seed=self.manifest.seed,
            batch=self.manifest.batch,
            requests=len(records),
            calls=sum(record.calls for record in records),
            seconds=sum(record.seconds for record in records),
            peak_bytes=max((record.peak_bytes for record in records), default=0),
            packages=versions(("numpy", "pillow", "torch")),
        )
        write_bytes(self.path / RUN_NAME, msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
        write_bytes(self.path / NAME, msgspec.json.format(msgspec.json.encode(self.manifest), indent=1) + b"\n")
        self._tidy()
        self.finished = True

    def _tidy(self) -> None:
        """Remove what only unfinished work needs; again on the next start, where a kill came in between."""
        shutil.rmtree(self.path / _WORK, ignore_errors=True)
        for folder in [self.path, *(one for one in self.path.iterdir() if one.is_dir())]:
            sweep(folder)


class Progress(msgspec.Struct, frozen=True):
    """How far a submission folder is; `missing` are the ids without a prediction, by shard."""

    benchmark: str
    predictor: str
    total: int
    done: int
    finished: bool
    missing: dict[str, list[str]] = {}


def status(folder: str | Path) -> Progress:
    """How far the predictions in `folder` are, and which are missing.

    Raises:
        Refused: the folder holds no predictions made by vismark.
    """
    path = Path(folder)
    manifest, finished = _read_plan(path)
    if finished:
        count = manifest.total if manifest.ids is None else len(manifest.ids)
        return Progress(manifest.benchmark, manifest.predictor, count, count, True)
    ids: list[str] = msgspec.json.decode((path / _WORK / _IDS).read_bytes())
    missing: dict[str, list[str]] = {}
    for rank in range(manifest.world):
        shard = Shard(rank, manifest.world)
        done = {record.id for record in Journal(path / _WORK / f"{shard}.jsonl", manifest.key, Done).read()}
        missing[f"{rank}/{manifest.world}"] = [id for id in shard.of(ids) if id not in done]
    left = sum(map(len, missing.values()))
    return Progress(manifest.benchmark, manifest.predictor, len(ids), len(ids) - left, False, missing)


def _read_plan(path: Path) -> tuple[Manifest, bool]:
    """The manifest of a folder that `predict` works or worked in, and whether it is finished.

    Raises:
        Refused: there is none.
    """
    for file, finished in ((path / NAME, True), (path / _WORK / "plan.json", False)):
        if file.is_file():
            try:
                return msgspec.json.decode(file.read_bytes(), type=Manifest), finished
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise refuse("MANIFEST_FORMAT", f"is no manifest: {error}", file=file.name) from error
    raise refuse(
        "FOLDER_UNKNOWN",
        "the folder holds no predictions made by vismark",
        file=path.name,
        fix="Name the folder given to `predict -o`.",
    )


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
