"""Intersections and unions of object tracks, from run lengths alone: no mask is decoded.

A track is one mask a frame. Counts are exact integers: the share of a predicted mask that a true one covers is the
quotient of two integers below 2^53, so its product with the area rounds to the intersection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = dict[str, Any]


def overlaps(
    predicted: Sequence[Sequence[Mask | None]], true: Sequence[Sequence[Mask]], empty: Mask
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Intersection and union of every predicted with every true track, in pixels, summed over frames.

    Args:
        predicted: checked masks as COCO's compressed run lengths, [object][frame]; None where the frame counts for
            nothing in the pairs of this object (the official tool's answer to a mask of another size).
        true: the same, [object][frame], as many frames.
        empty: a mask without pixels, of the size of the frames.

    Returns:
        Two int64 arrays of shape (predicted, true).
    """
    from hotcoco import mask

    found = np.zeros((len(predicted), len(true)), np.int64)
    if not predicted or not true:
        return found, found.copy()
    frames = len(true[0])
    flat = [one or empty for track in (*predicted, *true) for one in track]
    areas = np.asarray(mask.area(flat), np.int64).reshape(-1, frames)
    area, true_area = areas[: len(predicted)], areas[len(predicted) :]
    for frame in np.flatnonzero(area.any(axis=0) & true_area.any(axis=0)).tolist():
        masks = [track[frame] or empty for track in predicted]
        shares = mask.iou(masks, [track[frame] for track in true], [True] * len(true))
        found += np.rint(np.asarray(shares) * area[:, frame, None]).astype(np.int64)
    counted = np.array([[one is not None for one in track] for track in predicted], np.int64)
    return found, area.sum(axis=1)[:, None] + counted @ true_area.T - found
