"""What a benchmark has to show beside its numbers: plain data, drawn by `pages`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vismark.tasks import Category, Detections, Panoptic, Picture


@dataclass(frozen=True)
class Bar:
    """One bar: a label, the number that its length shows (None: not defined), and more numbers for its tooltip."""

    label: str
    value: float | None
    group: str = ""
    details: tuple[tuple[str, float | int | None], ...] = ()


@dataclass(frozen=True)
class Bars:
    """A bar chart, e.g. one bar a category; `scale` is the display factor, `digits` the decimals after scaling."""

    title: str
    note: str
    bars: Sequence[Bar]
    scale: float = 1.0
    digits: int = 3


@dataclass(frozen=True)
class Curve:
    """One line of a chart: points (x, y)."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """A line chart, e.g. precision over recall; `x` and `y` are the names of the axes, both from 0 to 1."""

    title: str
    note: str
    curves: Sequence[Curve]
    x: str
    y: str


@dataclass(frozen=True)
class View:
    """One side of a comparison: a panoptic map to be laid over the picture, e.g. labelled "truth" or "prediction"."""

    label: str
    panoptic: Panoptic


@dataclass(frozen=True)
class Outlines:
    """One side of a comparison: objects drawn into the picture, boxes in any case and masks where there are some."""

    label: str
    detections: Detections


@dataclass(frozen=True)
class Sample:
    """One image of a gallery: its numbers as text, the picture, and the views side by side."""

    id: str
    note: str
    picture: Picture
    views: tuple[View | Outlines, ...]


@dataclass(frozen=True)
class Gallery:
    """Images worth looking at, e.g. the worst; `categories` name and order the colours."""

    title: str
    note: str
    samples: Sequence[Sample]
    categories: tuple[Category, ...]


Panel = Bars | Curves | Gallery
