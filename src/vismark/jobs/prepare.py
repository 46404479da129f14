"""What check, score, verify and report have in common: references, submission, evidence, and the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark import registry
from vismark.benchmarks.base import Benchmark, Evidence, Mode, Opened, Source, Step
from vismark.cards import BenchmarkCard
from vismark.jobs.manifest import Manifest, read_manifest
from vismark.problems import Problems, Refused, Usage
from vismark.results import ProtocolId, code_digest, versions
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root
from vismark.runtime.journal import Journal, Locked
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

# What a caller may give as references: one path, or paths by name.
References = str | Path | Mapping[str, str | Path] | None

# Samples a worker takes at once: large enough that the journal is no burden, small enough that a kill costs little.
_CHUNK = 16


@dataclass(frozen=True)
class Options:
    """How a submission is read: what `check`, `measure`, `score` and `verify` have in common; see `score`."""

    references: References = None
    root: str | Path | None = None
    protocol: str | None = None
    mode: Mode = "strict"
    partial: bool = False
    jobs: int | None = None


@dataclass
class Prepared:
    """Everything a score is computed from.

    Attributes:
        total: number of samples of the split.
        evidence: step name → records in the protocol's order.
        journals: to be removed once the result is stored.
    """

    benchmark: Benchmark
    protocol: ProtocolId
    references: Any
    opened: Opened[Any]
    manifest: Manifest | None
    total: int
    evidence: dict[str, list[Evidence]]
    journals: list[Journal[Any]]


def source(references: References, root: str | Path | None) -> Source:
    """Where references come from, from what a caller gave."""
    if references is None:
        named = {}
    elif isinstance(references, Mapping):
        named = {name: Path(path) for name, path in references.items()}
    else:
        named = {"": Path(references)}
    return Source(named, Path(root) if root is not None else None)


def read_references(benchmark: Benchmark, given: Source, problems: Problems, mode: Mode = "strict") -> Any:
    """The references of a benchmark.

    Raises:
        Refused: they cannot be read.
        Missing: they are not there.
    """
    references = benchmark.references(given, problems, mode)
    if references is None:
        raise Refused(problems)
    return references


def prepare(name: str, submission: Path, options: Options, *, journal: bool = True) -> tuple[Prepared | None, Problems]:
    """Read, check and measure a submission; None when it cannot be opened. All findings are in the problems."""
    benchmark, mode = registry.benchmark(name), options.mode
    chosen = protocol_of(benchmark.card, options.protocol)
    problems = Problems(benchmark.tolerated if mode == "official" else frozenset())
    truth = read_references(benchmark, source(options.references, options.root), problems, mode)
    manifest = read_manifest(submission, name, problems)
    every = benchmark.requests(truth, 0).ids
    part = frozenset(manifest.ids) if manifest and manifest.ids is not None else None
    wanted = None if options.partial else every if part is None else [id for id in every if id in part]
    opened = benchmark.open(submission, truth, problems, mode, wanted, chosen.settings)
    if opened is None:
        return None, problems
    total = _total(benchmark.card, len(every), problems)
    prepared = Prepared(benchmark, chosen, truth, opened, manifest, total, {}, [])
    for step in benchmark.steps(mode, chosen.settings):
        key = digest_of(
            [step.name, step.version, mode, truth.digest, opened.digest, code_digest(), versions(["hotcoco"])]
        )
        kept = _journal(step, key) if journal else None
        records = _measure(step, opened, truth, options.jobs or default_jobs(), kept)
        prepared.evidence[step.name] = records
        prepared.journals += [kept] if kept else []
        for record in records:
            problems.extend(record.problems)
    return prepared, problems


def protocol_of(card: BenchmarkCard, name: str | None) -> ProtocolId:
    """The identity of a protocol of a benchmark.

    Raises:
        Usage: the benchmark has no such protocol.
    """
    name = name or next(iter(card.protocols))
    if name not in card.protocols:
        raise Usage(f"{card.name} has no protocol {name!r}; it has {', '.join(card.protocols)}.")
    return ProtocolId(
        benchmark=card.name,
        version=card.version,
        name=name,
        dataset=card.dataset,
        split=card.split,
        settings=card.protocols[name],
    )


def _total(card: BenchmarkCard, there: int, problems: Problems) -> int:
    """How many samples the split has, whatever part of it the references that were named hold."""
    if card.samples is None or card.samples == there:
        return there
    message = f"the references hold {there} samples, the split {card.split} has {card.samples}"
    fix = f"Numbers on other references are no {card.title} scores."
    problems.add("REF_OTHER_SPLIT", message, severity="warning", fix=fix)
    return max(card.samples, there)


def _journal(step: Step, key: str) -> Journal[Any] | None:
    """The journal of this measurement, or None while another process writes it (then nothing is kept)."""
    journal: Journal[Any] = Journal(
        cache_root() / "evidence" / step.name / f"{key.removeprefix('sha256:')[:32]}.jsonl", key, step.record
    )
    try:
        journal.open()
    except (Locked, OSError):
        return None
    return journal


def _measure(
    step: Step, opened: Opened[Any], references: Any, jobs: int, journal: Journal[Any] | None
) -> list[Evidence]:
    """The evidence of all samples: what the journal has and still holds true, and the rest anew."""
    found: dict[str, Evidence] = {}
    for record in journal.read() if journal else ():
        now = step.fingerprint(opened.submission, references, record.id)
        if (record.digest, record.reference_digest) == now and not record.problems:
            found[record.id] = record
    left = [id for id in opened.ids if id not in found]

    def work(ids: Sequence[str]) -> Sequence[Evidence]:
        return step.run(opened.submission, references, ids)

    with Bar(f"measuring {step.name}", len(opened.ids), len(found)) as bar:
        for records in map_chunks(work, chunks(left, _CHUNK), jobs=jobs, workers=step.workers):
            if journal:
                journal.append(records)
            found.update({record.id: record for record in records})
            bar.advance(len(records))
    return [found[id] for id in opened.ids]
