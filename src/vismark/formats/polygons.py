"""Polygons of many annotations at once: their form, their areas by formula, and by the official raster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from vismark.formats.rle import PIXEL_LIMIT

# One polygon: x1, y1, x2, y2, … in pixels from the top left corner of the image.
Polygon = list[float]

# Pixels along the edges of one annotation; pycocotools walks them in steps of a fifth.
_LONGEST = 200_000.0


@dataclass(frozen=True)
class Polygons:
    """The polygons of several annotations.

    Attributes:
        points: all coordinates, x and y in turn, float64.
        lengths: how many of them each polygon has; even and at least 6.
        parts: how many polygons each annotation has; at least 1.
    """

    points: NDArray[np.float64]
    lengths: NDArray[np.int64]
    parts: NDArray[np.int64]


def well_formed(segmentations: Sequence[list[Polygon]]) -> NDArray[np.bool_]:
    """Which annotations have at least one polygon, and only such with three points or more."""
    parts = np.fromiter(map(len, segmentations), np.int64, len(segmentations))
    lengths = np.fromiter(map(len, chain.from_iterable(segmentations)), np.int64, int(parts.sum()))
    bad = np.concatenate([[0], np.cumsum((lengths % 2 == 1) | (lengths < 6))])
    ends = np.cumsum(parts)
    good: NDArray[np.bool_] = (parts > 0) & (bad[ends] == bad[ends - parts])
    return good


def flatten(segmentations: Sequence[list[Polygon]]) -> Polygons:
    """Well-formed polygons as arrays."""
    parts = np.fromiter(map(len, segmentations), np.int64, len(segmentations))
    polygons = list(chain.from_iterable(segmentations))
    lengths = np.fromiter(map(len, polygons), np.int64, len(polygons))
    points = np.fromiter(chain.from_iterable(polygons), np.float64, int(lengths.sum()))
    return Polygons(points, lengths, parts)


def areas(polygons: Polygons) -> NDArray[np.float64]:
    """The area of each annotation in square pixels: the sum over its polygons of the shoelace formula.

    COCO's own areas are these, to the last digits; the raster of pycocotools differs by about a pixel in fifty.
    Coordinates beyond all bounds give an area that is not finite.
    """
    x, y = polygons.points[0::2], polygons.points[1::2]
    sizes = polygons.lengths // 2
    starts = np.cumsum(sizes) - sizes
    last = starts + sizes - 1
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    x_next[last], y_next[last] = x[starts], y[starts]
    with np.errstate(over="ignore", invalid="ignore"):
        each = np.abs(np.add.reduceat(x * y_next - x_next * y, starts)) / 2
    found: NDArray[np.float64] = np.add.reduceat(each, np.cumsum(polygons.parts) - polygons.parts)
    return found


def drawable(polygons: list[Polygon], size: tuple[int, int]) -> bool:
    """Whether pycocotools draws polygons in reasonable time and memory: edges and image are not endless."""
    if size[0] * size[1] > PIXEL_LIMIT:
        return False
    corners = [np.array(one).reshape(-1, 2) for one in polygons]
    with np.errstate(over="ignore", invalid="ignore"):
        return sum(float(np.abs(one - np.roll(one, 1, axis=0)).sum()) for one in corners) <= _LONGEST


def raster_area(polygons: list[Polygon], size: tuple[int, int]) -> int | None:
    """The pixels of the mask that pycocotools draws from polygons; None when they are not `drawable`.

    Args:
        size: (height, width) of the image.
    """
    from pycocotools import mask

    return int(mask.area(mask.merge(mask.frPyObjects(polygons, *size)))) if drawable(polygons, size) else None
