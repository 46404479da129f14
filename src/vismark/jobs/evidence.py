"""Evidence: measured sample by sample, kept in journals, taken from there when it still holds true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vismark.benchmarks.base import Evidence, Mode, Opened, Step
from vismark.problems import Problems, refuse
from vismark.results import code_digest, versions
from vismark.runtime.cluster import Engine, map_on
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root
from vismark.runtime.journal import Journal, Locked
from vismark.runtime.parallel import chunks, map_chunks
from vismark.runtime.progress import Bar
from vismark.runtime.shards import Shard


@dataclass(frozen=True)
class _Work:
    """What a worker needs to measure a piece."""

    step: Step
    submission: Any
    references: Any

    def __call__(self, piece: Sequence[str]) -> Sequence[Evidence]:
        return self.step.run(self.submission, self.references, piece)


class Measurement:
    """What a step measures of one submission (or of the references), and the journals of it, one a shard.

    Evidence of arithmetic belongs to the code that made it, and is removed once a result holds its numbers. Evidence of
    instruments is dear: it belongs to their identities, and stays.
    """

    def __init__(self, step: Step, opened: Opened[Any], references: Any, mode: Mode) -> None:
        self.step = step
        self.about = step.about
        self.opened = opened
        self.references = references
        self.dear = bool(self.about.instruments)
        inputs = [references.digest] if self.about.over == "references" else [references.digest, opened.digest]
        made_by = self.about.instruments if self.dear else [mode, code_digest(), versions(["hotcoco"])]
        self.key = digest_of([self.about.name, self.about.version, made_by, inputs])
        self.ids = step.ids(opened, references)

    def records(
        self, jobs: int, *, keep: bool = True, shard: Shard | None = None, engine: Engine | None = None
    ) -> list[Evidence]:
        """The evidence of all samples (of those of `shard`), in order: what the journals hold, and the rest anew.

        Args:
            keep: whether arithmetic is journaled, too.
            engine: the cluster whose workers measure, where instruments do.

        Raises:
            Refused: another process measures the same with an instrument now.
        """
        wanted = self.ids if shard is None else shard.of(self.ids)
        keep = keep or self.dear
        found = self._known(wanted) if keep else {}
        left = [id for id in wanted if id not in found]
        journal = self._opened(shard or Shard()) if keep and left else None
        try:
            with Bar(f"measuring {self.about.name}", len(wanted), len(found)) as bar:
                for records in self._measure(left, jobs, engine):
                    if journal:
                        journal.append(records)
                    found.update({record.id: record for record in records})
                    bar.advance(len(records))
        finally:
            if journal:
                journal.close()
        return [found[id] for id in wanted]

    def remove(self) -> None:
        """Delete the journals of arithmetic: its numbers are stored in a result."""
        if not self.dear:
            for journal in self._journals():
                journal.remove()

    def _measure(self, ids: Sequence[str], jobs: int, engine: Engine | None) -> Iterator[Sequence[Evidence]]:
        work = _Work(self.step, self.opened.submission, self.references)
        pieces = chunks(ids, self.about.batch)
        if engine is not None and self.dear:
            return map_on(engine, work, pieces, jobs)
        if self.about.workers == "alone":
            return map(work, pieces)
        return map_chunks(work, pieces, jobs=jobs, workers=self.about.workers)

    def _known(self, wanted: Sequence[str]) -> dict[str, Evidence]:
        """What the journals hold of the samples as they are now."""
        found: dict[str, Evidence] = {}
        asked = set(wanted)
        for journal in self._journals():
            for record in journal.read():
                if record.id not in asked or record.problems:
                    continue
                now = self.step.fingerprint(self.opened.submission, self.references, record.id)
                if (record.digest, record.reference_digest) == now:
                    found[record.id] = record
        return found

    def _journals(self) -> list[Journal[Any]]:
        stem = self.key.removeprefix("sha256:")[:32]
        folder = cache_root() / "evidence" / self.about.name
        return [Journal(path, self.key, self.about.record) for path in sorted(folder.glob(f"{stem}.*.jsonl"))]

    def _opened(self, shard: Shard) -> Journal[Any] | None:
        """The journal of a shard, to be written; None where arithmetic is done without one."""
        name = f"{self.key.removeprefix('sha256:')[:32]}.{shard}.jsonl"
        journal: Journal[Any] = Journal(cache_root() / "evidence" / self.about.name / name, self.key, self.about.record)
        try:
            journal.open()
        except Locked as error:
            if self.dear:
                message = f"another process is measuring {self.about.name} of this now"
                raise refuse("EVIDENCE_BUSY", message, fix="Wait for it, or give each its own --shard I/N.") from error
            return None
        except OSError:
            if self.dear:
                raise
            return None
        return journal


def problems_of(records: Sequence[Evidence]) -> Problems:
    """What was noticed while measuring."""
    problems = Problems()
    for record in records:
        problems.extend(record.problems)
    return problems
