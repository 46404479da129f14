"""What a benchmark has to show beside its numbers: plain data, drawn by `pages`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vismark.tasks import Category, Detections, Image, Panoptic, Picture


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
    """One side of a comparison: objects drawn into the picture, boxes in any case and masks where there are some.

    `dashed` says of each object whether its box is drawn with dashes: it was missed, or is wrong.
    """

    label: str
    detections: Detections
    dashed: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A part of a text, and the ids of the segments that it names."""

    text: str
    segments: tuple[int, ...] = ()


@dataclass(frozen=True)
class Told:
    """A text about an image; its pieces have the colours of their segments in the panoptic view of the same label."""

    label: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Sample:
    """One image of a gallery: its numbers as text, the picture, the views side by side, and texts below them."""

    id: str
    note: str
    picture: Picture
    views: tuple[View | Outlines, ...]
    texts: tuple[Told, ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Images worth looking at, e.g. the worst; `categories` name and order the colours."""

    title: str
    note: str
    samples: Sequence[Sample]
    categories: tuple[Category, ...]


@dataclass(frozen=True)
class Tile:
    """A small picture: a generated image, a frame of a video, a neighbour in the reference set.

    Attributes:
        picture: a file, read when it is drawn, or pixels.
        note: below it.
        verdict: frames it in green or red; None in neither.
        detections: objects drawn into it, in pixels of the picture.
    """

    picture: Picture | Image
    note: str = ""
    verdict: bool | None = None
    detections: Detections | None = None


@dataclass(frozen=True)
class TileRow:
    """Tiles side by side that belong together: the images of a prompt, the frames of a video."""

    title: str
    tiles: Sequence[Tile]
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """Rows of small pictures; `categories` name and order the colours of what is drawn into them."""

    title: str
    note: str
    rows: Sequence[TileRow]
    categories: tuple[Category, ...] = ()


Panel = Bars | Curves | Gallery | Tiles
