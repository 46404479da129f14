"""Average precision and recall of boxes and masks, as pycocotools 2.0.11 computes them (Lin et al., arXiv:1405.0312).

The engine is hotcoco's evaluator (Rust), bit-equal to pycocotools; tests bind the two on random data. Everything here
takes arrays: checks of files are made before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vismark.tasks import Detections

Iou = Literal["boxes", "masks"]
Mask = dict[str, Any] | list[list[float]]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# Area ranges in pixels, both ends inclusive, in the order of the evaluator's arrays.
SIZES = {"all": (0.0, 1e10), "small": (0.0, 1024.0), "medium": (1024.0, 9216.0), "large": (9216.0, 1e10)}
_FIELDS = {"": "all", "_S": "small", "_M": "medium", "_L": "large"}


@dataclass(frozen=True)
class Images:
    """The images that are scored: `ids` int64 ascending, `sizes` int64 of shape (N, 2): height, width."""

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]


@dataclass(frozen=True)
class Objects:
    """True objects, one row each, in the order of the file.

    Attributes:
        image_ids, category_ids: int64.
        boxes: float64 of shape (N, 4): left, top, width, height in pixels.
        areas: float64, by which objects count as small, medium or large.
        crowd: bool; a crowd excuses detections and cannot be missed.
        masks: polygons or run lengths, where masks are compared.
    """

    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    masks: Sequence[Mask] | None = None


@dataclass(frozen=True)
class Found:
    """Detections, one row each, in the order of the file: that order breaks ties of the score.

    `areas` are those of the masks in pixels; without them the areas are the boxes'.
    """

    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    areas: NDArray[np.float64] | None = None
    masks: Sequence[Mask] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of each row at IoU 0.5, all sizes.

    Attributes:
        found: int8, one a detection: 1 right, −1 wrong, 0 not counted (on a crowd, or below the limit of an image).
        missed: bool, one a true object: not found, and not excused as a crowd.
    """

    found: NDArray[np.int8]
    missed: NDArray[np.bool_]


@dataclass(frozen=True)
class Evaluation:
    """The accumulated arrays of an evaluator; −1 stands where there is no true object.

    Attributes:
        categories: the category ids, ascending.
        limits: how many detections of an image count: the three values of the last axis.
        precision: float64 of shape (10 IoU thresholds, 101 recalls, categories, 4 sizes, 3 limits).
        recall: float64 of shape (10, categories, 4, 3).
        engine: the evaluator itself, for what its library offers beyond.
    """

    categories: Sequence[int]
    limits: tuple[int, int, int]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    outcome: Outcome
    engine: Any = field(repr=False, default=None)

    def ap(self, *, iou: float | None = None, size: str = "all", category: int | None = None) -> float | None:
        """Mean precision over IoU thresholds (or at one), recalls and categories (or of one); None: no true object."""
        return _mean(self._at(self.precision[:, :, :, list(SIZES).index(size), -1], iou, category))

    def ar(
        self, *, limit: int = 2, size: str = "all", iou: float | None = None, category: int | None = None
    ) -> float | None:
        """Mean recall with the best 1, 10, or all detections of an image (`limit` 0, 1, 2); None: no true object."""
        return _mean(self._at(self.recall[:, :, list(SIZES).index(size), limit], iou, category))

    def numbers(self) -> dict[str, float | None]:
        """The twelve numbers of the official summary."""
        found = {"AP": self.ap(), "AP50": self.ap(iou=0.5), "AP75": self.ap(iou=0.75)}
        found |= {f"AP{name}": self.ap(size=size) for name, size in _FIELDS.items() if name}
        found |= {f"AR{limit}": self.ar(limit=place) for place, limit in enumerate(self.limits)}
        return found | {f"AR{name}": self.ar(size=size) for name, size in _FIELDS.items() if name}

    def curve(self, iou: float) -> NDArray[np.float64] | None:
        """Precision at the 101 recalls, mean over the categories that occur; None: no true object."""
        chosen = self._at(self.precision[:, :, :, 0, -1], iou, None)[0]
        present = chosen[:, (chosen > -1).all(axis=0)]
        return present.mean(axis=1) if present.size else None

    def _at(self, values: NDArray[np.float64], iou: float | None, category: int | None) -> NDArray[np.float64]:
        """The part of `values` (first axis thresholds, last axis categories) at a threshold and a category."""
        if iou is not None:
            values = values[np.isclose(THRESHOLDS, iou)]
        return values if category is None else values[..., self.categories.index(category)]


def evaluate(
    images: Images, categories: Iterable[int], objects: Objects, found: Found, iou: Iou, max_detections: int = 100
) -> Evaluation:
    """Match detections with objects and accumulate precision and recall.

    Args:
        images: what is scored; rows of other images are left out.
        categories: what is scored; rows of other categories are left out.
        max_detections: how many detections of one category in one image count, at least 10.

    Raises:
        ValueError: `iou` is "masks" and masks are missing.
    """
    from hotcoco import COCO, COCOeval

    ids = sorted(set(categories))
    truth = _positions(images, ids, objects.image_ids, objects.category_ids)
    guess = _positions(images, ids, found.image_ids, found.category_ids)
    if iou == "masks" and (objects.masks is None or found.masks is None):
        raise ValueError("masks are compared, and there are none")
    reference = COCO.from_arrays(
        [{"id": n, "height": int(h), "width": int(w)} for n, (h, w) in enumerate(images.sizes, 1)],
        [{"id": n, "name": str(id)} for n, id in enumerate(ids, 1)],
        truth.images,
        truth.categories,
        objects.boxes[truth.rows],
        area=objects.areas[truth.rows],
        iscrowd=objects.crowd[truth.rows].astype(np.int64),
        segmentation=[objects.masks[row] for row in truth.rows] if iou == "masks" and objects.masks else None,
    )
    results = _results(reference, guess, found, iou)
    engine = COCOeval(reference, results, "bbox" if iou == "boxes" else "segm")
    limits = (1, 10, max_detections)
    engine.params.max_dets = list(limits)
    engine.evaluate()
    engine.accumulate()
    arrays = engine.eval or {}
    outcome = _outcome(engine, truth, guess, objects, len(found.scores))
    return Evaluation(ids, limits, np.asarray(arrays["precision"]), np.asarray(arrays["recall"]), outcome, engine)


@dataclass(frozen=True)
class _Rows:
    """Rows that take part, and their image and category as numbers from 1."""

    rows: NDArray[np.int64]
    images: NDArray[np.int64]
    categories: NDArray[np.int64]


def _positions(
    images: Images, categories: Sequence[int], image_ids: NDArray[np.int64], category_ids: NDArray[np.int64]
) -> _Rows:
    """Images and categories numbered anew, in ascending order: the evaluator takes no negative ids."""
    known = np.array(categories, np.int64)
    image = np.minimum(np.searchsorted(images.ids, image_ids), max(len(images.ids) - 1, 0))
    category = np.minimum(np.searchsorted(known, category_ids), max(len(known) - 1, 0))
    rows = np.flatnonzero((images.ids[image] == image_ids) & (known[category] == category_ids))
    return _Rows(rows, image[rows] + 1, category[rows] + 1)


def _results(reference: Any, guess: _Rows, found: Found, iou: Iou) -> Any:
    columns = np.zeros((len(guess.rows), 7))
    columns[:, 0], columns[:, 6] = guess.images, guess.categories
    columns[:, 5] = found.scores[guess.rows]
    if iou == "boxes" or found.masks is None:
        columns[:, 1:5] = found.boxes[guess.rows]
        return reference.load_res(columns)
    results = reference.load_res(columns, segmentation=[found.masks[row] for row in guess.rows])
    if found.areas is not None:
        # Columns give the areas of boxes; of masks they are what the masks cover.
        results.update_anns(ids=np.arange(1, len(guess.rows) + 1), area=found.areas[guess.rows].astype(np.float64))
    return results


def _outcome(engine: Any, truth: _Rows, guess: _Rows, objects: Objects, count: int) -> Outcome:
    found, missed = np.zeros(count, np.int8), np.zeros(len(objects.areas), np.bool_)
    if len(guess.rows):
        # Above every score no annotation is suspected of an error, which would take time and is not asked for.
        diagnosis = engine.image_diagnostics(iou_thr=0.5, score_thr=np.inf)
        status = diagnosis["dt_status"]
        places = np.fromiter(status, np.int64, len(status)) - 1
        found[guess.rows[places]] = [1 if one == "tp" else -1 for one in status.values()]
        lost = [id for id, one in diagnosis["gt_status"].items() if one == "fn"]
        missed[truth.rows[np.array(lost, np.int64) - 1]] = True
    else:
        missed[truth.rows] = ~objects.crowd[truth.rows]
    return Outcome(found, missed)


def _mean(values: NDArray[np.float64]) -> float | None:
    """As the official summary: the mean of what is above −1."""
    present = values[values > -1]
    return float(np.mean(present)) if present.size else None


@dataclass(frozen=True)
class TrueObjects:
    """The true objects of one image.

    Attributes:
        boxes: of shape (N, 4): left, top, right, bottom in pixels.
        categories: of shape (N,).
        crowd: bool; none by default.
        areas: by default those of the boxes.
        masks: run lengths `{"size": [height, width], "counts": …}` or polygons.
    """

    boxes: NDArray[np.floating]
    categories: NDArray[np.integer]
    crowd: NDArray[np.bool_] | None = None
    areas: NDArray[np.floating] | None = None
    masks: Sequence[Mask] | None = None


@dataclass(frozen=True)
class Row:
    """One image: its size (height, width), its true objects, and what was found in it."""

    size: tuple[int, int]
    truth: TrueObjects
    found: Detections


class AveragePrecision:
    """The twelve numbers from arrays, image by image, for training loops; see `vismark.metrics.base.Accumulator`.

    Images are taken in the order in which `reduce` gets them; the order of ids breaks ties of equal scores.

    Args:
        categories: the category ids that are scored.
        iou: compare ``boxes`` or ``masks``.
        max_detections: how many detections of one category in one image count, above 10.

    Example:
        >>> import numpy as np
        >>> from vismark.tasks import Detections
        >>> metric = AveragePrecision([1])
        >>> box, one = np.array([[10.0, 10.0, 50.0, 60.0]]), np.array([1])
        >>> row = metric.row((80, 100), TrueObjects(box, one), Detections(box, np.array([0.9]), one))
        >>> metric.reduce([row])["AP"]
        1.0
    """

    name = "AP"

    def __init__(self, categories: Iterable[int], iou: Iou = "boxes", max_detections: int = 100) -> None:
        self.categories = sorted(set(categories))
        self.iou: Iou = iou
        self.max_detections = max_detections
        self.outputs = (
            *("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L"),
            *("AR1", "AR10", f"AR{max_detections}", "AR_S", "AR_M", "AR_L"),
        )

    def row(self, size: tuple[int, int], truth: TrueObjects, found: Detections) -> Row:
        """One image.

        Raises:
            ValueError: columns of one image have different lengths, or masks are missing.
        """
        counts = {len(found.boxes), len(found.scores), len(found.categories)}
        if len(counts) > 1 or len(truth.boxes) != len(truth.categories):
            raise ValueError("boxes, scores and categories of an image must have the same length")
        if self.iou == "masks" and (truth.masks is None or found.masks is None):
            raise ValueError("masks are compared, and an image has none")
        return Row(size, truth, found)

    def reduce(self, rows: Sequence[Row]) -> dict[str, float | None]:
        """The twelve numbers; None where there is no true object of that size."""
        if not rows:
            return dict.fromkeys(self.outputs)
        return self.evaluate(rows).numbers()

    def evaluate(self, rows: Sequence[Row]) -> Evaluation:
        """All numbers by category, size and threshold."""
        images = Images(np.arange(len(rows)), np.array([row.size for row in rows], np.int64))
        truths, guesses = [row.truth for row in rows], [row.found for row in rows]
        true_boxes = _xywh([one.boxes for one in truths])
        sides = true_boxes[:, 2] * true_boxes[:, 3]
        given = np.concatenate([np.full(len(t.boxes), np.nan) if t.areas is None else t.areas for t in truths])
        objects = Objects(
            np.repeat(images.ids, [len(one.boxes) for one in truths]),
            np.concatenate([np.asarray(one.categories, np.int64) for one in truths]),
            true_boxes,
            np.where(np.isnan(given), sides, given),
            np.concatenate([np.zeros(len(t.boxes), np.bool_) if t.crowd is None else t.crowd for t in truths]),
            [mask for one in truths for mask in one.masks or ()] if self.iou == "masks" else None,
        )
        masks = [{"size": list(m.size), "counts": m.counts.decode()} for one in guesses for m in one.masks or ()]
        found = Found(
            np.repeat(images.ids, [len(one.boxes) for one in guesses]),
            np.concatenate([np.asarray(one.categories, np.int64) for one in guesses]),
            _xywh([one.boxes for one in guesses]),
            np.concatenate([np.asarray(one.scores, np.float64) for one in guesses]),
            mask_areas(masks) if self.iou == "masks" else None,
            masks if self.iou == "masks" else None,
        )
        return evaluate(images, self.categories, objects, found, self.iou, self.max_detections)


def mask_areas(masks: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """The areas of run-length masks in pixels."""
    from hotcoco import mask

    return np.asarray(mask.area(list(map(dict, masks))), np.float64) if masks else np.zeros(0)


def _xywh(boxes: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Corners of several images as one float64 array of left, top, width, height."""
    corners = np.concatenate([np.asarray(one, np.float64).reshape(-1, 4) for one in boxes])
    return np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
