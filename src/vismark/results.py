"""Results: numbers together with everything needed to believe, compare and repeat them.

A `Result` is plain JSON. `metrics` is flat, the field's name → the number on the scale that the official function
returns; how a table shows it stands in the benchmark's `MetricSpec`, once. Nothing here names a host, a user or an
absolute path, so a result can accompany a double-blind submission.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import msgspec

from vismark.problems import Problem, refuse
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of, digest_of_parts

FORMAT = 1

# The packages that a number can depend on, named in every result.
_PACKAGES = ("hotcoco", "msgspec", "numpy", "pillow", "pyarrow", "pycocotools")


class Basis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a number may be compared with.

    Attributes:
        kind: ``official`` equals the official tool's; ``deviates`` does not, `why` says how; ``extension`` is ours.
        equals: the official tool and its version.
        interval: 95 % confidence interval, where the benchmark has evidence for one.
        n: how many samples (or categories) the number is a mean over.
    """

    kind: Literal["official", "deviates", "extension"]
    equals: str = ""
    why: str = ""
    interval: tuple[float, float] | None = None
    n: int | None = None


class ProtocolId(msgspec.Struct, frozen=True, kw_only=True):
    """Which measurement was made. Two numbers are comparable when their protocol digests are equal."""

    benchmark: str
    version: int
    name: str
    dataset: str
    split: str
    settings: dict[str, Any] = {}
    instruments: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON of this record."""
        return digest_of(self)

    def __str__(self) -> str:
        return f"{self.benchmark}-{self.name}@{self.version}"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A subset of the split was scored: `done` of `total`, the ids by their digest."""

    done: int
    total: int
    ids: str = ""

    def __str__(self) -> str:
        return f"PARTIAL {self.done}/{self.total}"


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the predictions were made and what they cost, over all attempts and ranks."""

    predictor: str
    settings: dict[str, Any] = {}
    weights: dict[str, str] = {}
    seed: int = 0
    batch: int = 1
    dtype: str = ""
    device: str = ""
    requests: int = 0
    calls: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    parameters: int | None = None
    stored_bytes: int | None = None
    packages: dict[str, str] = {}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What computed the numbers: vismark's version, the digest of its code, and the libraries below it."""

    vismark: str
    code: str
    packages: dict[str, str]
    python: str


class Scores(msgspec.Struct, kw_only=True):
    """What `Benchmark.score` returns.

    Attributes:
        metrics: name → number, or None where it is not defined (with a warning that says why).
        intervals: name → 95 % interval, where there is evidence for one.
        counts: name → how many samples or categories the number is a mean over.
        breakdowns: e.g. ``{"category": {"person": {"PQ": 0.4, …}}}``.
        table: columns of the per-sample table; the first is ``id``.
        why: name → how and why the number deviates from the official one.
        files: what the official tool writes, name → bytes; they are put beside the result.
    """

    metrics: dict[str, float | None]
    intervals: dict[str, tuple[float, float]] = {}
    counts: dict[str, int] = {}
    breakdowns: dict[str, Mapping[str, Mapping[str, float | int | None]]] = {}
    table: dict[str, Sequence[Any]] = {}
    why: dict[str, str] = {}
    warnings: list[Problem] = []
    files: dict[str, bytes] = {}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A scored submission (or a claim of one).

    Attributes:
        kind: ``scored`` from a submission · ``reproduced`` by running a baseline · ``control`` · ``claimed`` by others.
        references: digest of the official file that holds all samples together.
        reference_samples: digest over the references of the scored samples (masks, pictures).
        submission: digest over all files of the submission.
        mode: ``strict`` or ``official``.
        partial: set when only a part of the split was scored.
        table: digest of the per-sample Parquet table that lies beside the result with the suffix ``.parquet``.
    """

    format: int = FORMAT
    model: str
    kind: Literal["scored", "reproduced", "control", "claimed"]
    protocol: ProtocolId
    protocol_digest: str
    mode: Literal["strict", "official"]
    references: str
    reference_samples: str
    submission: str
    partial: Part | None = None
    samples: int
    metrics: dict[str, float | None]
    basis: dict[str, Basis]
    breakdowns: dict[str, Mapping[str, Mapping[str, float | int | None]]] = {}
    table: str = ""
    warnings: list[Problem] = []
    run: Run | None = None
    made: Made


def read_result(path: Path) -> Result:
    """The result in a JSON file.

    Raises:
        vismark.problems.Refused: no file, or not a result of this format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refuse("RESULT_FILE", f"cannot be read: {error.strerror}", file=str(path)) from error
    try:
        result = msgspec.json.decode(data, type=Result)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise refuse(
            "RESULT_FORMAT",
            f"is no vismark result: {error}",
            file=path.name,
            fix="Name a file that `vismark score … -o RESULT` wrote.",
        ) from error
    if result.format > FORMAT:
        raise refuse(
            "RESULT_FORMAT", f"has format {result.format}, newer than {FORMAT}", file=path.name, fix="Upgrade vismark."
        )
    if result.protocol.digest != result.protocol_digest:
        raise refuse("RESULT_DIGEST", "the protocol was changed after scoring", file=path.name, fix="Score again.")
    return result


def write_result(path: Path, result: Result) -> None:
    """Write `result` as indented JSON, atomically."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")


def made() -> Made:
    """The record of this installation."""
    from vismark import __version__

    return Made(vismark=__version__, code=code_digest(), packages=versions(_PACKAGES), python=platform.python_version())


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions of `packages`; those that are not installed are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_digest() -> str:
    """Digest of all of vismark's own source and cards, so that a changed number can be traced to changed code."""
    house = Path(__file__).parent
    files = sorted(path for path in house.rglob("*") if path.suffix in {".py", ".toml", ".csv"})
    return digest_of_parts({path.relative_to(house).as_posix(): digest_of(path.read_bytes()) for path in files})
