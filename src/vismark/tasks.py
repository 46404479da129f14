"""The tasks: what a model may be asked, and what it answers. The class of a request *is* the task.

Requests and predictions are the whole interface between a benchmark and a model. A predictor is anything with
``name``, ``tasks`` and ``predict``; nothing has to be subclassed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Category(msgspec.Struct, frozen=True):
    """A class of things or stuff: the id of the data set, its name, and whether it is countable."""

    id: int
    name: str
    isthing: bool = True


class Segment(msgspec.Struct, frozen=True):
    """A region of a panoptic map: `id` is the value of its pixels (1 … 2^24−1), `category` an id of the data set."""

    id: int
    category: int
    score: float | None = None


class RLE(msgspec.Struct, frozen=True):
    """A mask as run lengths of COCO: `size` is (height, width), `counts` the compressed string."""

    size: tuple[int, int]
    counts: bytes


@dataclass(frozen=True)
class Picture:
    """An image that is read when it is looked at.

    Attributes:
        path: the file, or None when only the annotations are here.
        height, width: size in pixels as the annotations state it.
        url: where the image can be fetched, or "".
    """

    path: Path | None
    height: int
    width: int
    url: str = ""

    def pixels(self) -> NDArray[np.uint8]:
        """The image as uint8 RGB, shape (height, width, 3).

        Raises:
            vismark.problems.Missing: there is no file.
            vismark.problems.Refused: the file is no readable image of the stated size.
        """
        from vismark.runtime.pictures import read_picture

        return read_picture(self.path, (self.height, self.width))


@dataclass(frozen=True)
class Frames:
    """A video as frames that are decoded when they are asked for.

    Attributes:
        names: of the frames, in order, as the annotations have them (``00000.jpg`` …); the rate is `rate`.
        height, width: size in pixels as the annotations state it.
        folder: of the frames as files with these names, or None.
        file: the video, decoded where there is no folder, or None.
        rate: frames a second.
    """

    names: tuple[str, ...]
    height: int
    width: int
    folder: Path | None = None
    file: Path | None = None
    rate: int = 30

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, names: Sequence[str] | None = None) -> Iterator[NDArray[np.uint8]]:
        """The frames `names` (all by default) one by one, uint8 RGB of shape (height, width, 3), in the order asked.

        Raises:
            vismark.problems.Missing: neither frames nor video are here.
            vismark.problems.Refused: they cannot be decoded, or are of another size.
        """
        from vismark.runtime.videos import Source, read_frames

        source = Source(self.names, (self.height, self.width), self.folder, self.file, self.rate)
        return read_frames(source, self.names if names is None else names)


@dataclass(frozen=True)
class Request:
    """One question to a model.

    Attributes:
        id: unique name within the benchmark; a safe relative path without suffix.
        seed: for everything random in the answer; derived from (run seed, id), the same on any machine count.
        group: requests of one group belong together (a class, a video), or "".
    """

    id: str
    seed: int
    group: str
    answer: ClassVar[type]


@dataclass(frozen=True)
class Panoptic:
    """A panoptic map: `ids` uint32 of shape (height, width), 0 = nothing claimed; one `Segment` an id."""

    ids: NDArray[np.uint32]
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class PanopticSegment(Request):
    """Partition an image into segments of the given categories."""

    image: Picture
    categories: tuple[Category, ...]
    answer: ClassVar[type] = Panoptic


@dataclass(frozen=True)
class Detections:
    """Objects found in an image.

    Attributes:
        boxes: float32 of shape (N, 4): left, top, right, bottom in pixels from the top left corner of the image.
        scores: float32 of shape (N,); only their order counts.
        categories: int64 of shape (N,), ids of the data set.
        masks: one `RLE` an object, of the size of the image; None from a model without masks.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    categories: NDArray[np.int64]
    masks: tuple[RLE, ...] | None = None


@dataclass(frozen=True)
class Detect(Request):
    """Find the objects of the given categories; `masks` tells whether masks are wanted beside boxes."""

    image: Picture
    categories: tuple[Category, ...]
    masks: bool
    answer: ClassVar[type] = Detections


@dataclass(frozen=True)
class LabelMap:
    """A semantic map: `labels` int32 of shape (height, width), each the position of a category in the request.

    255 claims nothing. Every pixel has to be claimed, except where the truth has no label either.
    """

    labels: NDArray[np.int32]


@dataclass(frozen=True)
class SemanticSegment(Request):
    """Give every pixel of an image one of the categories; the label is the position of the category, from 0."""

    image: Picture
    categories: tuple[Category, ...]
    answer: ClassVar[type] = LabelMap


@dataclass(frozen=True)
class Image:
    """A picture that a model made: `pixels` uint8 RGB of shape (height, width, 3)."""

    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class ClassToImage(Request):
    """Draw a picture of a class.

    Attributes:
        label: number of the class, from 0 in the order of the data set.
        labels: the data set whose classes these are, e.g. ``imagenet1k``.
        size: height and width in pixels.
    """

    label: int
    labels: str
    size: tuple[int, int]
    answer: ClassVar[type] = Image


@dataclass(frozen=True)
class TextToImage(Request):
    """Draw what a text says; `size` is (height, width) in pixels, or None where the model chooses."""

    prompt: str
    size: tuple[int, int] | None
    answer: ClassVar[type] = Image


@dataclass(frozen=True)
class Reconstruct(Request):
    """Encode a picture and decode it again, in its own size; `text` is its caption for tokenizers that use one."""

    image: Picture
    text: str
    answer: ClassVar[type] = Image


@dataclass(frozen=True)
class Text:
    """An answer in words."""

    text: str


@dataclass(frozen=True)
class ImageToText(Request):
    """Describe an image.

    Attributes:
        style: ``caption``: one plain sentence; ``detailed``: a paragraph that tells of everything that is seen.
        prompt: the wording of the protocol, or "" where it has none.
    """

    image: Picture
    style: Literal["caption", "detailed"]
    prompt: str
    answer: ClassVar[type] = Text


@dataclass(frozen=True)
class Span:
    """A phrase of a text, `text[start:stop]`, and the ids of the segments that it names (at least one)."""

    start: int
    stop: int
    segments: tuple[int, ...]


@dataclass(frozen=True)
class GroundedText:
    """A description of an image and its panoptic map, tied together.

    Attributes:
        text: plain words, without markup.
        spans: phrases of `text` in order, none overlapping another; their segments are ids of `panoptic`.
        panoptic: the whole map; segments may be named by several phrases or by none.
    """

    text: str
    spans: tuple[Span, ...]
    panoptic: Panoptic


@dataclass(frozen=True)
class GroundedCaption(Request):
    """Partition an image into segments of the given categories and describe it, phrase by phrase tied to segments."""

    image: Picture
    prompt: str
    categories: tuple[Category, ...]
    answer: ClassVar[type] = GroundedText


@dataclass(frozen=True)
class VideoToText(Request):
    """Describe what happens in a video, its main objects, and its background; `prompt` is the protocol's wording."""

    video: Frames
    prompt: str
    answer: ClassVar[type] = Text


@dataclass(frozen=True)
class Tracks:
    """Objects over time: `masks[object][frame]`, a mask for each frame that was asked for, empty where it is absent."""

    masks: tuple[tuple[RLE, ...], ...]


@dataclass(frozen=True)
class VideoSegment(Request):
    """Segment what an expression means (one object or several) in the given frames of a video.

    Attributes:
        frames: names of the frames that need a mask, a part of `video.names`.
        most: the largest number of objects that may be answered.
    """

    video: Frames
    expression: str
    frames: tuple[str, ...]
    most: int
    answer: ClassVar[type] = Tracks


class Requests(Protocol):
    """The questions of a benchmark, in the protocol's order, made when they are asked for."""

    @property
    def ids(self) -> Sequence[str]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Request: ...
    def __iter__(self) -> Iterator[Request]: ...


@runtime_checkable
class Predictor(Protocol):
    """A model behind the common interface. `predict` answers a batch, in order, one prediction a request.

    May also have ``describe() -> dict`` (settings for the record) and ``close()``.
    """

    @property
    def name(self) -> str: ...
    @property
    def tasks(self) -> Collection[type[Request]]: ...
    def predict(self, requests: Sequence[Any], /) -> Sequence[Any]: ...
