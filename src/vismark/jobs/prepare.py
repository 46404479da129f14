"""What check, score, verify and report have in common: references, submission, evidence, and the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.benchmarks.base import Benchmark, Evidence, Mode, Opened, Source
from vismark.cards import BenchmarkCard
from vismark.instruments.base import Tools
from vismark.jobs.evidence import Measurement, problems_of
from vismark.jobs.manifest import Manifest, read_manifest
from vismark.problems import Problems, Refused, Usage
from vismark.results import ProtocolId
from vismark.runtime.digests import digest_of
from vismark.runtime.parallel import default_jobs

# What a caller may give as references: one path, or paths by name.
References = str | Path | Mapping[str, str | Path] | None


@dataclass(frozen=True)
class Options:
    """How a submission is read: what `check`, `measure`, `score` and `verify` have in common; see `score`."""

    references: References = None
    root: str | Path | None = None
    protocol: str | None = None
    mode: Mode = "strict"
    partial: bool = False
    jobs: int | None = None
    metrics: Sequence[str] | None = None
    tools: Tools = field(default_factory=Tools)


@dataclass
class Prepared:
    """Everything a score is computed from.

    Attributes:
        total: number of samples of the split.
        metrics: names of the numbers that are wanted.
        measurements: what is to be measured for them.
        evidence: step name → records in the protocol's order.
    """

    benchmark: Benchmark
    protocol: ProtocolId
    references: Any
    opened: Opened[Any]
    manifest: Manifest | None
    total: int
    metrics: list[str]
    measurements: list[Measurement]
    evidence: dict[str, list[Evidence]] = field(default_factory=dict)


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


def prepare(name: str, submission: Path, options: Options) -> tuple[Prepared | None, Problems]:
    """Read and check a submission; None when it cannot be opened. All findings are in the problems."""
    benchmark, mode = registry.benchmark(name), options.mode
    chosen = protocol_of(benchmark.card, options.protocol)
    metrics = _chosen(benchmark.card, chosen.name, options.metrics)
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
    steps = benchmark.steps(mode, chosen.settings, metrics, options.tools)
    measurements = [Measurement(step, opened, truth, mode) for step in steps]
    used = [opened.instruments, *(one.about.instruments for one in measurements if one.ids)]
    identities = {name: digest_of(identity) for each in used for name, identity in each.items()}
    chosen = msgspec.structs.replace(chosen, instruments=identities)
    return Prepared(benchmark, chosen, truth, opened, manifest, total, metrics, measurements), problems


def measured(prepared: Prepared, problems: Problems, jobs: int | None, *, keep: bool = True) -> None:
    """Fill in the evidence: what is kept already, and the rest anew; after errors, only what finds more of them."""
    for measurement in prepared.measurements:
        if measurement.dear and problems.errors:
            continue
        records = measurement.records(jobs or default_jobs(), keep=keep)
        prepared.evidence[measurement.about.name] = records
        problems.extend(problems_of(records))


def _chosen(card: BenchmarkCard, protocol: str, metrics: Sequence[str] | None) -> list[str]:
    known = card.measured(protocol)
    unknown = sorted(set(metrics or ()) - set(known))
    if unknown:
        raise Usage(
            f"The protocol {protocol} of {card.name} has no metric {', '.join(unknown)}; it has {', '.join(known)}."
        )
    if metrics is None:
        return [name for name in known if not card.metric(name).asked]
    return [name for name in known if name in metrics]


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
