"""Loads MSCOCO's annotation files as typed records; annotations are decoded when they are asked for.

Panoptic files are read by `vismark.formats.panoptic.read_truth`, the Karpathy split by `karpathy.load_karpathy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from vismark.formats.document import Document, read_document
from vismark.formats.panoptic import ImageRecord
from vismark.formats.polygons import Polygon, drawable
from vismark.formats.rle import Rle, RleFault, checked_runs, pixels_of
from vismark.problems import Problems, Refused, refuse
from vismark.tasks import Category

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Record = TypeVar("_Record")


class Mask(msgspec.Struct, frozen=True):
    """A run-length mask: `size` is (height, width), `counts` a compressed string or a list of runs."""

    size: tuple[int, int]
    counts: str | list[int]


class Instance(msgspec.Struct, frozen=True):
    """An annotation of an instances, stuff or keypoints file.

    Attributes:
        segmentation: polygons [[x1, y1, x2, y2, …], …] in pixels, or a run-length mask.
        area: of the mask, in square pixels, as stated.
        bbox: (x, y, width, height) in pixels from the top left corner.
        iscrowd: 1 for a crowd, which evaluators ignore.
        keypoints: x, y, v for each of the category's keypoints; empty in other files.
    """

    id: int
    image_id: int
    category_id: int
    segmentation: list[Polygon] | Mask
    area: float
    bbox: tuple[float, float, float, float]
    iscrowd: int
    keypoints: tuple[float, ...] = ()
    num_keypoints: int = 0


class Caption(msgspec.Struct, frozen=True):
    """A caption of an image."""

    id: int
    image_id: int
    caption: str


class _Owner(msgspec.Struct):
    image_id: int


class _Category(msgspec.Struct):
    id: int
    name: str
    isthing: int = 1


@dataclass(frozen=True)
class Instances:
    """An instances, stuff or keypoints file; iterating gives its annotations in the order of the file.

    Attributes:
        images: by image id, in the order of the file, those without annotations too.
        categories: by category id.
    """

    document: Document
    images: dict[int, ImageRecord]
    categories: dict[int, Category]
    pieces: Sequence[msgspec.Raw]

    def __len__(self) -> int:
        return len(self.pieces)

    def __iter__(self) -> Iterator[Instance]:
        return (_decode(piece, Instance, self.document) for piece in self.pieces)

    def of(self, image_id: int) -> list[Instance]:
        """The annotations of an image, in the order of the file."""
        return [_decode(self.pieces[place], Instance, self.document) for place in self._places.get(image_id, ())]

    def mask(self, one: Instance) -> NDArray[np.bool_]:
        """The mask of an annotation as booleans of shape (height, width), as pycocotools draws it.

        Raises:
            Refused: it is no mask of its image.
        """
        image = self.images[one.image_id]
        return mask_of(one.segmentation, (image.height, image.width))

    @cached_property
    def _places(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for place, one in enumerate(_list(self.document, "annotations", _Owner)):
            found.setdefault(one.image_id, []).append(place)
        return found


@dataclass(frozen=True)
class Captions:
    """A captions file.

    Attributes:
        images: by image id, in the order of the file.
        of: captions by image id, in the order of the file; every image has an entry.
    """

    images: dict[int, ImageRecord]
    of: dict[int, list[Caption]]


def load_instances(path: Path) -> Instances:
    """Read an instances, stuff or keypoints file; annotations stay text until they are asked for.

    Raises:
        Refused: it is no such file; so do the annotations when they are decoded. `vismark validate` lists all faults.
    """
    document = _read(path)
    categories = _list(document, "categories", _Category)
    return Instances(
        document,
        _images(document),
        {one.id: Category(one.id, one.name, one.isthing == 1) for one in categories},
        _list(document, "annotations", msgspec.Raw),
    )


def load_captions(path: Path) -> Captions:
    """Read a captions file.

    Raises:
        Refused: it is no such file; `vismark validate` lists all faults.
    """
    document = _read(path)
    images = _images(document)
    found: dict[int, list[Caption]] = {id: [] for id in images}
    for one in _list(document, "annotations", Caption):
        found.setdefault(one.image_id, []).append(one)
    return Captions(images, found)


def mask_of(segmentation: list[Polygon] | Mask, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Booleans of shape `size` (height, width) from polygons, drawn as pycocotools does, or from a run-length mask.

    Raises:
        Refused: the run-length mask does not fill `size` exactly, or the polygons have no points or endless edges.
    """
    from pycocotools import mask

    if isinstance(segmentation, list):
        if not segmentation or min(map(len, segmentation)) < 6 or not drawable(segmentation, size):
            raise refuse("SEGM_FORMAT", "these polygons cannot be drawn", fix="`vismark validate` says more.")
        drawn: NDArray[np.uint8] = mask.decode(mask.merge(mask.frPyObjects(segmentation, *size)))
        return drawn.astype(bool)
    try:
        return pixels_of(checked_runs(Rle(list(segmentation.size), segmentation.counts), size), size)
    except RleFault as fault:
        raise refuse(fault.code, str(fault), fix=fault.fix) from fault


def _read(path: Path) -> Document:
    problems = Problems()
    document = read_document(path, problems)
    if document is None or problems.errors:
        raise Refused(problems)
    return document


def _images(document: Document) -> dict[int, ImageRecord]:
    return {one.id: one for one in _list(document, "images", ImageRecord)}


def _list(document: Document, name: str, record: type[_Record]) -> list[_Record]:
    found: list[_Record] = _decode(document.values.get(name, b"null"), GenericAlias(list, (record,)), document)
    return found


def _decode(piece: msgspec.Raw | bytes, record: Any, document: Document) -> Any:
    try:
        return msgspec.json.decode(piece, type=record)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        fix = "`vismark validate` lists every fault of the file."
        problems = Problems()
        problems.add("REF_FORMAT", f"is no annotation file: {error}", file=document.report.file, fix=fix)
        raise Refused(problems) from error
