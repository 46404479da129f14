"""Detections as entries of a results file, and true objects as detections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.formats.detection_truth import DetectionTruth
from vismark.formats.rle import Rle, RleFault, checked_runs, from_string, pixels_of
from vismark.problems import Problems
from vismark.runtime.atomic import write_bytes
from vismark.tasks import RLE, Detections


class _Mask(msgspec.Struct, frozen=True):
    size: tuple[int, int]
    counts: str


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of a results file; `bbox` is left, top, width, height."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float
    segmentation: _Mask | None = None


class ImageResults(msgspec.Struct, frozen=True):
    """The entries of one image."""

    results: tuple[Result, ...]


def image_results(image_id: int, prediction: Detections) -> ImageResults:
    """The entries of one image; widths and heights are differences of float32 in float64, so nothing is rounded."""
    corners = np.asarray(prediction.boxes, np.float64).reshape(-1, 4)
    boxes = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()
    scores, categories = np.asarray(prediction.scores, np.float64).tolist(), np.asarray(prediction.categories).tolist()
    masks: Iterable[_Mask | None] = [None] * len(boxes)
    if prediction.masks is not None:
        masks = [_Mask(one.size, one.counts.decode("ascii")) for one in prediction.masks]
    rows = zip(categories, boxes, scores, masks, strict=True)
    return ImageResults(tuple(Result(image_id, *row) for row in rows))


def write_results(path: Path, images: Sequence[ImageResults]) -> None:
    """Write a results file, atomically."""
    write_bytes(path, msgspec.json.encode([result for image in images for result in image.results]) + b"\n")


def prediction_problems(
    prediction: Detections, size: tuple[int, int], categories: Iterable[int], item: str
) -> Problems:
    """What is wrong with the detections of an image before they are written; `size` is (height, width)."""
    problems = Problems()
    boxes, scores = np.asarray(prediction.boxes), np.asarray(prediction.scores)
    count = len(scores) if scores.ndim == 1 else -1
    lengths = {len(boxes), count, len(prediction.categories), len(prediction.masks or scores)}
    if len(lengths) != 1 or boxes.size != 4 * count:
        message = f"boxes {boxes.shape}, scores {scores.shape}, categories and masks do not agree"
        problems.add("PREDICTION_SIZE", message, item=item, fix="boxes (N, 4), scores (N,), categories (N,).")
        return problems
    known = set(categories)
    for id in sorted({int(one) for one in prediction.categories} - known):
        problems.add("PREDICTION_CATEGORY", f"category {id} is unknown", item=item, value=id)
    if not np.isfinite(scores).all():
        problems.add("PREDICTION_SCORE", "a score is not finite", item=item, fix="Filter them out.")
    corners = boxes.reshape(-1, 4)
    if not np.isfinite(corners).all() or not (corners[:, 2:] > corners[:, :2]).all():
        fix = "Boxes are left, top, right, bottom, and have a width and a height."
        problems.add("PREDICTION_BOX", "a box is empty, reversed or not finite", item=item, fix=fix)
    for number, mask in enumerate(prediction.masks or ()):
        try:
            checked_runs(Rle(list(mask.size), mask.counts.decode("ascii", "replace")), size)
        except RleFault as fault:
            problems.add("PREDICTION_MASK", f"mask {number}: {fault}", item=item, fix=fault.fix)
    return problems


def as_prediction(truth: DetectionTruth, id: str, *, crowds: bool = False) -> Detections:
    """The true objects of an image as detections with score 1.

    Args:
        crowds: take crowds too, of which no single object can be found.
    """
    image = truth.images[id]
    rows = [row for row in truth.rows_of(image.id) if crowds or not truth.crowd[row]]
    corners = truth.boxes[rows].copy()
    corners[:, 2:] += corners[:, :2]
    drawn = [run_lengths(mask, (image.height, image.width)) for mask in truth.masks_of(rows) if mask]
    masks = tuple(drawn) if len(drawn) == len(rows) else None
    return Detections(corners.astype(np.float32), np.ones(len(rows), np.float32), truth.category_ids[rows], masks)


def run_lengths(mask: Any, size: tuple[int, int]) -> RLE:
    """A mask, polygons or run lengths, drawn as pycocotools draws it."""
    from pycocotools import mask as tool

    drawn = tool.frPyObjects(mask, *size) if isinstance(mask, list) or isinstance(mask["counts"], list) else mask
    merged = tool.merge(drawn) if isinstance(drawn, list) else drawn
    counts = merged["counts"]
    return RLE(size, counts.encode("ascii") if isinstance(counts, str) else counts)


def encode_mask(pixels: NDArray[np.bool_]) -> RLE:
    """The run lengths of a mask of shape (height, width)."""
    from pycocotools import mask as tool

    counts: bytes = tool.encode(np.asfortranarray(pixels, np.uint8))["counts"]
    return RLE((pixels.shape[0], pixels.shape[1]), counts)


def decode_mask(mask: RLE) -> NDArray[np.bool_]:
    """A mask that was checked, as booleans of shape (height, width)."""
    return pixels_of(from_string(mask.counts.decode("ascii")), mask.size)
