"""J and F of referring video segmentation: region similarity and contour accuracy, frame by frame.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation" (CVPR 2016), as
davis2017-evaluation ac7c43f computes them. The contour of a mask are the pixels that differ from their right, lower or
lower right neighbour; contours match within 0.8 % of the image's diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vismark.formats.rle import from_string

Mask = dict[str, Any]
Points = NDArray[np.int64]

RATIO = 0.008


def jaccard(predicted: Mask, true: Mask) -> float:
    """J: the IoU of two masks (COCO's compressed run lengths) of one size; 1 where both are empty."""
    from hotcoco import mask

    if not mask.area([predicted, true]).any():
        return 1.0
    return float(np.asarray(mask.iou([predicted], [true], [False]))[0, 0])


def contour_accuracy(predicted: Mask, true: Mask) -> float:
    """F: the harmonic mean of contour precision and recall of two masks; 1 where neither has a contour."""
    height, width = predicted["size"]
    radius = math.ceil(RATIO * math.hypot(height, width))
    one, other = contour(predicted), contour(true)
    if not len(one) or not len(other):
        return float(len(one) == len(other))
    precision = float(near(one, other, radius).mean())
    recall = float(near(other, one, radius).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def united(masks: Sequence[Mask], empty: Mask) -> Mask:
    """The union of masks of one size; `empty` for none."""
    from hotcoco import mask

    merged: Mask = mask.merge(list(masks), False) if len(masks) > 1 else masks[0] if masks else empty
    return merged


def contour(mask: Mask) -> Points:
    """The contour pixels of a mask as rows and columns, shape (n, 2); only the columns it covers are unpacked."""
    height, width = mask["size"]
    counts = mask["counts"]
    runs = from_string(counts if isinstance(counts, str) else counts.decode("ascii"))
    ends = np.cumsum(runs)
    if not runs[1::2].sum():
        return np.zeros((0, 2), np.int64)
    first = max(int((ends - runs)[1::2][runs[1::2] > 0][0]) // height - 1, 0)
    last = min((int(ends[1::2][runs[1::2] > 0][-1]) - 1) // height, width - 1)
    inside = np.clip(ends, first * height, (last + 1) * height)
    kept = np.repeat(np.arange(runs.size) % 2 == 1, np.diff(inside, prepend=first * height))
    pixels = kept.reshape(height, last - first + 1, order="F")
    # Beyond the border a pixel has no neighbour to differ from.
    padded = np.pad(pixels, ((0, 1), (0, int(last == width - 1))), mode="edge")
    if last < width - 1:
        padded = np.pad(padded, ((0, 0), (0, 1)))
    found = (pixels != padded[:-1, 1:]) | (pixels != padded[1:, :-1]) | (pixels != padded[1:, 1:])
    rows, columns = np.nonzero(found)
    return np.stack([rows, columns + first], axis=1)


def near(points: Points, others: Points, radius: int) -> NDArray[np.bool_]:
    """Which of `points` have one of `others` at most `radius` away: counts along rows, no picture is dilated."""
    low, high = others.min(axis=0) - radius, others.max(axis=0) + radius
    height, width = (high - low + 1).tolist()
    grid = np.zeros((height + 2 * radius, width + 2 * radius + 1), np.int32)
    rows, columns = (others - low).T
    grid[rows + radius, columns + radius + 1] = 1
    np.cumsum(grid, axis=1, out=grid)
    inside = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    reach = np.arange(-radius, radius + 1)
    half = np.array([math.isqrt(radius * radius - down * down) for down in reach.tolist()])
    row, column = (points[inside] - low).T[:, :, None]
    row, column = row + radius + reach, column + radius
    hits = grid[row, column + half + 1] > grid[row, column - half]
    found = np.zeros(len(points), np.bool_)
    found[inside] = hits.any(axis=1)
    return found
