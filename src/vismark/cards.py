"""Cards: what vismark knows about a data set, a benchmark, an instrument or a baseline before any code of it runs.

A card is a TOML file beside the code that it names (`code = "module:Class"`); `registry` finds and reads them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that can be downloaded.

    Attributes:
        path: where it lands below the data root (an archive is removed once it is unpacked).
        url: address, or ``hf://datasets/OWNER/NAME@REVISION/PATH`` for hub files; PATH may have wildcards.
        bytes: size, where the source states it.
        digest: ``sha256:…``, where the source states it; never invented: without one the file is pinned on first use.
        unpack: folder below the root into which the archive is unpacked, or None to keep the file as it is.
        provides: split → files and folders below the root that are there once it is; by them a tree that is already
            laid out is recognised.
        part: ``annotations``, ``images``, … : only annotations are downloaded unless asked for.
    """

    path: str
    url: str
    bytes: int | None = None
    digest: str | None = None
    unpack: str | None = None
    provides: dict[str, tuple[str, ...]] = {}
    part: str = "annotations"


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """Files made from downloaded ones: ``code(source, …, target)`` writes `target` (and what belongs to it) whole.

    Attributes:
        source, target: paths below the data root; the folder named like `target` without suffix belongs to it.
        further: more sources, where it takes several.
        code: ``module:function`` taking the paths, sources first, and returning `Problems`.
        split: the split it belongs to.
    """

    source: str
    target: str
    code: str
    split: str
    further: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """All that it is made from."""
        return (self.source, *self.further)

    def makes(self, path: str) -> bool:
        """Whether `path` is the target, or the folder that belongs to it."""
        return path in (self.target, self.target.rpartition(".")[0])


class MetricSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a number means and which official number it equals.

    Attributes:
        name: the field's name for it.
        better: which direction is better.
        low, high: range of the values, on the scale that the official function returns; None is unbounded.
        unit: "" for a plain number.
        scale: factor for display (100 shows a fraction as percent).
        digits: decimals for display, after scaling.
        equals: official tool and version whose number it is, or "" for an extension.
        tolerance: "bits", or the largest absolute difference from the official number.
        protocols: the protocols that measure it; empty for all of the benchmark.
        asked: it is dear, and measured only where ``--metrics`` names it.
    """

    name: str
    better: Literal["higher", "lower"]
    title: str = ""
    low: float | None = None
    high: float | None = None
    unit: str = ""
    scale: float = 1.0
    digits: int = 3
    equals: str = ""
    tolerance: float | Literal["bits"] = "bits"
    protocols: tuple[str, ...] = ()
    asked: bool = False


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The part common to all cards; `code` is ``module:Class``, `never_released` is told before anything else."""

    name: str
    title: str
    code: str
    summary: str = ""
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    never_released: tuple[str, ...] = ()


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A split of a data set and how many records it should hold (checked on load, reported, never enforced)."""

    images: int | None = None
    annotations: int | None = None
    note: str = ""


class DatasetCard(Card, frozen=True, kw_only=True):
    """A data set: its version, its files, its splits; `joined` are the data sets whose files complete it."""

    version: str = ""
    files: tuple[File, ...] = ()
    derived: tuple[Derived, ...] = ()
    joined: tuple[str, ...] = ()
    splits: dict[str, Split] = {}
    settings: dict[str, Any] = {}


class BenchmarkCard(Card, frozen=True, kw_only=True):
    """A benchmark: data set and split, metrics, and its named protocols; the first protocol is the default.

    `version` is raised only when a golden number would change. `headline` are the metrics shown first.
    `references` are the default locations below a data root, by name ("": never released). `generator` is
    ``module:function`` that makes a data set which needs no download and returns its folder, used when no files are
    named.
    """

    version: int
    dataset: str
    split: str
    task: str
    metrics: tuple[MetricSpec, ...]
    headline: tuple[str, ...]
    protocols: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: {"official": {}})
    references: dict[str, str] = {}
    generator: str = ""
    samples: int | None = None
    submission: str = ""

    def measured(self, protocol: str) -> list[str]:
        """Names of the metrics that a protocol measures."""
        return [spec.name for spec in self.metrics if not spec.protocols or protocol in spec.protocols]

    def metric(self, name: str) -> MetricSpec:
        """The specification of the metric `name`.

        Raises:
            KeyError: the benchmark has no such metric.
        """
        for spec in self.metrics:
            if spec.name == name:
                return spec
        raise KeyError(name)


class InstrumentCard(Card, frozen=True, kw_only=True):
    """A frozen measurer: its version and its weights.

    Attributes:
        role: what it is used as, e.g. ``detector`` or ``judge``.
        canary: ``module:function`` that takes the name of a device and tests it without weights; gives `Problems`.
    """

    role: str
    canary: str = ""
    version: str = ""
    files: tuple[File, ...] = ()


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A published configuration of a baseline family: settings, weights, and the rows it was published with."""

    name: str
    config: dict[str, Any] = {}
    parameters: int | None = None
    files: tuple[File, ...] = ()
    sampling: dict[str, dict[str, Any]] = {}
    published: tuple[str, ...] = ()


class BaselineCard(Card, frozen=True, kw_only=True):
    """A family of reference models behind the predictor interface."""

    family: str = ""
    paper: str = ""
    tasks: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
