"""What a benchmark offers the jobs. Nothing here is a base class: a benchmark is anything of this shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from vismark.benchmarks.panels import Panel
from vismark.cards import BenchmarkCard
from vismark.instruments.base import Tools
from vismark.problems import Missing, Problem, Problems, Usage
from vismark.registry import load
from vismark.results import Scores
from vismark.runtime.folders import data_root
from vismark.tasks import Request, Requests

Mode = Literal["strict", "official"]

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True)
class Source:
    """Where references come from: files that the user named, or the data root.

    Attributes:
        named: name → path, from ``--references name=path,…``; the name "" is a path given without one.
        root: the data root that the user named.
    """

    named: Mapping[str, Path] = field(default_factory=dict)
    root: Path | None = None

    def path(self, card: BenchmarkCard, name: str) -> Path | None:
        """The path of the reference `name`: the named one, else the default below the data root, else None.

        Raises:
            Missing: no name was given and no data root is known.
            Usage: a name was given that the benchmark does not have.
        """
        unknown = self.named.keys() - card.references.keys() - {""}
        if unknown:
            raise Usage(
                f"{card.name} has no reference {', '.join(sorted(unknown))}; it has {', '.join(card.references)}."
            )
        first = next(iter(card.references), "")
        if name == first and "" in self.named:
            return self.named[""]
        if name in self.named:
            return self.named[name]
        if self.named or not card.references.get(name):
            return None
        folder = load(card.generator)() if card.generator and self.root is None else data_root(self.root)
        return Path(folder) / card.references[name]

    def need(self, card: BenchmarkCard, name: str) -> Path:
        """Like `path`, for a reference that scoring cannot do without.

        Raises:
            Missing: it is not there; the message says how to get it.
        """
        path = self.path(card, name)
        if path is None and not card.references[name]:
            told = " ".join(f"Never released: {text}." for text in card.never_released)
            raise Missing(f"{told} Who has the files names them with --references {name}=PATH,….")
        if path is None or not path.exists():
            where = f"{path} does not exist" if path else f"no path was given for {name}"
            raise Missing(
                f"{card.name} needs its reference {name!r}, but {where}. "
                f"Name the official file with --references {name}=PATH, or `vismark download {card.name}`."
            )
        return path


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part that all evidence records share: the sample, the digest of what was measured, what was wrong with it."""

    id: str
    digest: str
    reference_digest: str = ""
    problems: tuple[Problem, ...] = ()


E = TypeVar("E", bound=Evidence)


@dataclass(frozen=True)
class Opened(Generic[S]):
    """A submission that was read: the answers of `ids` (in the protocol's order) can be measured.

    Attributes:
        digest: of the files that hold all samples together (the digests of single samples are evidence).
        instruments: name → identity of those whose evidence the submission itself brings.
    """

    submission: S
    ids: tuple[str, ...]
    digest: str
    instruments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Writer(Protocol):
    """Writes predictions one by one in the official format; `finish` makes the files that hold all of them."""

    @property
    def entry(self) -> Any: ...
    def write(self, request: Any, prediction: Any, /) -> Any: ...
    def finish(self, entries: Sequence[Any], /) -> None: ...


@dataclass(frozen=True)
class About:
    """What the jobs know of a step.

    Attributes:
        version: raised when a record would change.
        over: what is measured; evidence over references serves every submission.
        instruments: name → identity of each instrument, {} for arithmetic. Evidence of instruments is dear: it is kept,
            `check` does without it, and ``measure --shard`` divides it.
        batch: samples given to `run` at once.
        workers: how several cores are used; ``alone`` is a network that uses them itself.
    """

    name: str
    version: int
    record: type[Evidence]
    over: Literal["submission", "references"] = "submission"
    instruments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    batch: int = 16
    workers: Literal["threads", "processes", "alone"] = "threads"


class Step(Protocol):
    """A stage of measuring: turns the samples `ids` into evidence, in any order and split.

    `fingerprint` tells the digests of a sample and of its reference as they are now, so that old evidence is not taken
    for new samples; ("", "") when one cannot be read.
    """

    @property
    def about(self) -> About: ...
    def ids(self, opened: Opened[Any], references: Any, /) -> Sequence[str]: ...
    def run(self, submission: Any, references: Any, ids: Sequence[str], /) -> Sequence[Evidence]: ...
    def fingerprint(self, submission: Any, references: Any, id: str, /) -> tuple[str, str]: ...


class Benchmark(Protocol):
    """A benchmark. `score` is pure; `open` reads and checks without decoding samples; `steps` do the dear work.

    `steps` makes only the evidence that `metrics` need. `tolerated` are the problem codes that the official tool
    accepts in silence: errors in strict mode, warnings in official mode.
    """

    card: BenchmarkCard
    tolerated: frozenset[str]

    def references(self, source: Source, problems: Problems, mode: Mode) -> Any: ...
    def requests(self, references: Any, seed: int) -> Requests: ...
    def answer(self, references: Any, request: Request) -> Any: ...
    def majority(self, references: Any, request: Request) -> Any: ...
    def writer(self, path: Path, references: Any) -> Writer: ...
    def open(
        self,
        path: Path,
        references: Any,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[Any] | None: ...
    def steps(
        self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools
    ) -> Sequence[Step]: ...
    def score(
        self,
        submission: Any,
        references: Any,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores: ...
    def panels(
        self,
        references: Any,
        submission: Any,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> Sequence[Panel]: ...
