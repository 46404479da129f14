"""What a whole detection results file tells about itself: images missing or of another split, boxes of another kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.formats.detection_columns import Detected
from vismark.formats.detection_entries import Examiner, Kind
from vismark.formats.detection_truth import DetectionTruth
from vismark.problems import Problems

# The evaluator looks at no more detections of one category in one image.
_MOST_DETECTIONS = 100
# Share of boxes that reach beyond their image from which on they are taken for left, top, right, bottom.
_MANY = 0.2
# Files of other splits, beside the ground truth, in which unknown images are looked up.
_LARGEST_SIBLING = 256 << 20


def add(
    found: Detected,
    truth: DetectionTruth,
    kind: Kind,
    examiner: Examiner,
    problems: Problems,
    file: str,
    wanted: Collection[str] | None,
) -> None:
    """Write down the findings about the file as a whole."""
    if examiner.unknown_images:
        _add_unknown_images(list(examiner.unknown_images), truth, problems, file)
    add_contiguous(examiner, found.category_ids, problems, file)
    if not len(found):
        return
    _add_missing(found, truth, problems, file, wanted)
    _check_scores(found.scores, problems, file)
    if kind == "boxes":
        _check_boxes(found, truth, problems, file)
    _check_crowding(found, problems, file)
    _check_twins(found, problems, file)


def add_contiguous(examiner: Examiner, known: NDArray[np.int64], problems: Problems, file: str) -> None:
    """Say so when the unknown categories look like positions in the list of categories."""
    used = examiner.unknown_categories
    count = len(examiner.categories)
    if used and all(0 <= id <= count for id in used) and (not known.size or int(known.max()) <= max(count, *used)):
        message = f"all categories are in 0 … {count}: these look like contiguous training ids"
        fix = "Map position → `categories[position].id` of the ground truth."
        problems.add("SUB_CATEGORY_CONTIGUOUS", message, file=file, fix=fix)


def _add_unknown_images(unknown: Sequence[object], truth: DetectionTruth, problems: Problems, file: str) -> None:
    shown = ", ".join(repr(one)[:40] for one in unknown[:10]) + (" …" if len(unknown) > 10 else "")
    other = _other_split(unknown, truth)
    fix = f"{other}: name that ground truth." if other else "Remove them, or name the ground truth of their split."
    message = f"{len(unknown)} image(s) are not in the ground truth: {shown}"
    problems.add("SUB_IMAGE_UNKNOWN", message, file=file, value=shown, fix=fix)


class _Image(msgspec.Struct):
    id: int


class _Images(msgspec.Struct):
    images: list[_Image] = []


def _other_split(unknown: Sequence[object], truth: DetectionTruth) -> str:
    """Which annotation file beside the ground truth has most of the unknown images; "" when none has any."""
    best, name = 0, ""
    for path in sorted(truth.folder.glob("*.json")):
        if path.name == truth.file or not path.name.startswith(("instances_", "image_info_", "captions_")):
            continue
        common = len(_ids_in(path).intersection(unknown))
        if common > best:
            best, name = common, path.name
    return f"{best} of them are in {name}" if best else ""


def _ids_in(path: Path) -> set[object]:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_SIBLING:
            return set()
        return {image.id for image in msgspec.json.decode(path.read_bytes(), type=_Images).images}
    except (OSError, msgspec.DecodeError, ValueError, RecursionError):
        return set()


def _add_missing(
    found: Detected, truth: DetectionTruth, problems: Problems, file: str, wanted: Collection[str] | None
) -> None:
    there = set(map(str, np.unique(found.image_ids).tolist()))
    missing = [id for id in wanted or () if id not in there]
    if missing:
        shown = ", ".join(missing[:10]) + (" …" if len(missing) > 10 else "")
        message = f"{len(missing)} of {len(truth.images)} image(s) have no detection: {shown}"
        fix = "That is right where nothing was found; all their objects count as missed."
        problems.add("SUB_IMAGE_MISSING", message, severity="warning", file=file, value=shown, fix=fix)


def _check_scores(scores: NDArray[np.float64], problems: Problems, file: str) -> None:
    low, high = float(scores.min()), float(scores.max())
    if low < 0 or high > 1:
        message = f"scores reach from {low:g} to {high:g}; only their order counts"
        fix = "Usual scores are in 0 … 1."
        problems.add("SUB_SCORE_RANGE", message, severity="warning", file=file, fix=fix)
    if low == high and len(scores) > 1:
        message = f"all scores are {low:g}: the order of the file decides about precision"
        fix = "Write the confidence of each detection."
        problems.add("SUB_SCORE_EQUAL", message, severity="warning", file=file, fix=fix)


def _check_boxes(found: Detected, truth: DetectionTruth, problems: Problems, file: str) -> None:
    images = sorted((image.id, image.width, image.height) for image in truth.images.values())
    ids = np.array([id for id, _, _ in images])
    sizes = np.array([size for _, *size in images], np.float64)[np.searchsorted(ids, found.image_ids)]
    with np.errstate(over="ignore"):
        beyond = (found.boxes[:, :2] + found.boxes[:, 2:] > sizes + 1).any(axis=1)
    ordered = (found.boxes[:, 2:] > found.boxes[:, :2]).all(axis=1)
    if beyond.mean() > _MANY and ordered.mean() > 1 - _MANY / 2:
        message = f"{beyond.mean():.0%} of the boxes reach beyond their image: they look like left, top, right, bottom"
        fix = "Boxes are [x, y, width, height]."
        problems.add("SUB_BBOX_XYXY", message, severity="warning", file=file, fix=fix)
    elif beyond.mean() > _MANY:
        message = f"{beyond.mean():.0%} of the boxes reach beyond their image"
        fix = "Boxes are [x, y, width, height] in pixels of the original image."
        problems.add("SUB_BBOX_OUTSIDE", message, severity="warning", file=file, fix=fix)
    if found.boxes.max() <= 1:
        message, fix = "no number of any box is above 1: they look normalised", "Boxes are in pixels."
        problems.add("SUB_BBOX_NORMALISED", message, severity="warning", file=file, fix=fix)


def _check_crowding(found: Detected, problems: Problems, file: str) -> None:
    order = np.lexsort((found.category_ids, found.image_ids))
    images, categories = found.image_ids[order], found.category_ids[order]
    starts = np.flatnonzero(np.r_[True, (images[1:] != images[:-1]) | (categories[1:] != categories[:-1])])
    sizes = np.diff(np.r_[starts, len(order)])
    crowded = np.flatnonzero(sizes > _MOST_DETECTIONS)
    if crowded.size:
        first = starts[crowded[0]]
        message = (
            f"{crowded.size} image(s) have more than {_MOST_DETECTIONS} detections of one category "
            f"(image {images[first]}, category {categories[first]}: {sizes[crowded[0]]}); the rest is ignored"
        )
        fix = "Keep the best 100 of each image."
        problems.add("SUB_TOO_MANY_DETS", message, severity="warning", file=file, item=images[first], fix=fix)


def _check_twins(found: Detected, problems: Problems, file: str) -> None:
    """Count detections that are equal in image, category and place; each beyond the first is a false positive."""
    if found.counts is not None:
        shape = np.fromiter(map(hash, found.counts), np.int64, len(found))[:, None]
    else:
        shape = np.ascontiguousarray(found.boxes).view(np.int64)
    mixed = found.image_ids.astype(np.uint64)
    for column in (found.category_ids, *shape.T):
        mixed = (mixed ^ mixed >> np.uint64(29)) * np.uint64(0x9E3779B97F4A7C15) ^ column.astype(np.uint64)
    order = np.argsort(mixed, kind="stable")
    same = np.flatnonzero(mixed[order[1:]] == mixed[order[:-1]])
    first, second = order[same], order[same + 1]
    equal = (found.image_ids[first] == found.image_ids[second]) & (shape[first] == shape[second]).all(axis=1)
    twins = int((equal & (found.category_ids[first] == found.category_ids[second])).sum())
    if twins:
        image = found.image_ids[first[equal][0]]
        message = f"{twins} detection(s) repeat another of the same image, category and place; they count as wrong"
        fix = "Write each detection once; was non-maximum suppression left out?"
        problems.add("SUB_DUPLICATE_DET", message, severity="warning", file=file, item=image, fix=fix)
