"""Boundary panoptic quality from arrays (Cheng et al., Boundary IoU, arXiv:2103.16562; boundary-iou-api 37d2558).

Panoptic quality in which the IoU of two segments is the smaller of their mask IoU and the IoU of their boundaries. The
boundary of a segment are its pixels at most r = 2 % of the image's diagonal away from another segment or from the
image's border. Everything else is `metrics.panoptic`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vismark.formats.idmaps import counts, joint_counts
from vismark.metrics.panoptic import VOID, Row, TrueSegment, tally

RATIO = 0.02

# Stands for the inside of segments. The official tool takes the largest category id + 1 (201 for COCO), which a segment
# may have, and then spoils that segment; no id of a PNG is this large.
_INSIDE = 2**24


def radius(size: tuple[int, int], ratio: float = RATIO) -> int:
    """Width of the boundary in pixels: `ratio` of the diagonal of (height, width), rounded half to even, at least 1."""
    height, width = size
    return max(1, round(ratio * math.sqrt(height**2 + width**2)))


def boundary(ids: NDArray[np.integer], ratio: float = RATIO) -> NDArray[np.bool_]:
    """Which pixels belong to the boundary of their own segment.

    As segments do not overlap, all are eroded at once: a pixel is inside its segment when the square of side 2r + 1
    around it lies in the image and holds a single id, that is, when no two neighbours in the square differ.

    Args:
        ids: shape (height, width).

    Returns:
        bool of the same shape: True where r erosions with a 3 × 3 square (zeros beyond the border) remove the pixel.
    """
    (height, width), r = ids.shape, radius((ids.shape[0], ids.shape[1]), ratio)
    band = np.ones(ids.shape, dtype=bool)
    if min(height, width) > 2 * r:
        across, down = _changes(ids), _changes(ids.T).T
        broken = np.cumsum(across[:, 2 * r :] != across[:, : -2 * r], axis=0, dtype=np.int32)
        broken = np.concatenate((np.zeros((1, width - 2 * r), dtype=np.int32), broken))
        rows_differ = broken[2 * r + 1 :] != broken[: -2 * r - 1]
        column_differs = down[2 * r :, r : width - r] != down[: -2 * r, r : width - r]
        band[r : height - r, r : width - r] = rows_differ | column_differs
    return band


def match(
    truth: NDArray[np.integer],
    true_segments: Iterable[TrueSegment],
    predicted: NDArray[np.integer],
    predicted_segments: Mapping[int, int],
    ratio: float = RATIO,
) -> Row:
    """The statistics of one image; arguments, result and errors are those of `metrics.panoptic.match`.

    Args:
        ratio: width of the boundaries as a share of the image's diagonal.
    """
    segments = {segment.id: segment for segment in true_segments}
    areas, shared = counts(predicted), joint_counts(truth, predicted)
    # Void has no boundary: all of it excuses.
    true_boundary = np.where(boundary(truth, ratio) | (truth == VOID), truth, _INSIDE)
    boundary_of = np.where(boundary(predicted, ratio), predicted, _INSIDE)
    true_lengths, lengths = counts(true_boundary), counts(boundary_of)
    common = joint_counts(true_boundary, boundary_of)

    def iou(t: int, s: int) -> float:
        union = areas[s] + segments[t].area - shared[t, s] - shared.get((VOID, s), 0)
        both = common.get((t, s), 0)
        either = lengths[s] + true_lengths[t] - both - common.get((VOID, s), 0)
        return min(shared[t, s] / union if union else math.inf, both / either)

    return tally(segments, predicted_segments, areas, shared, iou)


def _changes(ids: NDArray[np.integer]) -> NDArray[np.int32]:
    """How many times the id changes from the start of the row up to each pixel."""
    changes = np.zeros(ids.shape, dtype=np.int32)
    np.cumsum(ids[:, 1:] != ids[:, :-1], axis=1, dtype=np.int32, out=changes[:, 1:])
    return changes
