"""What a detection report shows: categories, curves, confusions, error types, and the worst images with their boxes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vismark.benchmarks.panels import Bar, Bars, Curve, Curves, Gallery, Outlines, Panel, Sample
from vismark.formats.detection_truth import DetectionTruth
from vismark.formats.detection_write import as_prediction
from vismark.formats.detections import DetectionSubmission
from vismark.formats.rle import box_of, from_string
from vismark.metrics.detection import RECALLS, Evaluation, Images
from vismark.tasks import RLE, Detections, Picture

_THRESHOLDS = (0.5, 0.75, 0.9)
_MOST_PAIRS = 20
# Detections drawn into one picture.
_MOST_DRAWN = 30

# The types of Bolya et al., TIDE, arXiv:2008.08115, in words.
_ERRORS = {
    "Cls": "wrong category, right place",
    "Loc": "right category, poor place",
    "Both": "wrong category, poor place",
    "Dupe": "second detection of an object",
    "Bkg": "nothing is there",
    "Miss": "object not found",
}


def panels(
    truth: DetectionTruth,
    submission: DetectionSubmission,
    images: Images,
    evaluation: Evaluation,
    breakdown: Mapping[str, Mapping[str, float | int | None]],
    worst: Sequence[tuple[str, str]],
    picture: Callable[[DetectionTruth, str], Picture],
) -> list[Panel]:
    """Bars by category, curves, confusions, error types, and the images named in `worst` (id, note).

    Args:
        images: those that `evaluation` is of.
    """
    bars = [Bar(name, numbers["AP"], "", tuple(numbers.items())) for name, numbers in breakdown.items()]
    outcome = evaluation.outcome
    wrong = _spread(outcome.found == -1, np.isin(submission.found.image_ids, images.ids))
    missed = _spread(outcome.missed, np.isin(truth.image_ids, images.ids))
    samples = _Samples(truth, submission, worst, picture, missed, wrong)
    return [
        Bars("By category", "AP of each category that occurs in the truth.", bars, scale=100, digits=1),
        _curves(evaluation),
        _errors(evaluation),
        _confusions(truth, submission, evaluation),
        Gallery(
            "Worst images",
            "Lowest AP50 first. Dashes: objects that were missed, detections that are wrong at IoU 0.50. "
            f"The best detections are drawn, twice as many as objects, {_MOST_DRAWN} at most.",
            samples,
            tuple(truth.categories.values()),
        ),
    ]


def _curves(evaluation: Evaluation) -> Curves:
    found = []
    for iou in _THRESHOLDS:
        values = evaluation.curve(iou)
        if values is not None:
            found.append(Curve(f"IoU {iou:.2f}", list(zip(RECALLS.tolist(), values.tolist(), strict=True))))
    note = "Interpolated precision at 101 recalls, mean over the categories; the area below is AP at that IoU."
    return Curves("Precision and recall", note, found, "recall", "precision")


def _errors(evaluation: Evaluation) -> Bars:
    """The AP50 that mending all errors of one type would add (hotcoco, `tide_errors`)."""
    found = evaluation.engine.tide_errors(pos_thr=0.5, bg_thr=0.1)
    bars = [
        Bar(words, found["delta_ap"][name], "", (("count", found["counts"].get(name)),))
        for name, words in _ERRORS.items()
    ]
    note = "How much AP50 would rise if all errors of one type were mended, in the sense of TIDE (arXiv:2008.08115)."
    return Bars("Types of errors", note, bars, scale=100, digits=1)


def _confusions(truth: DetectionTruth, submission: DetectionSubmission, evaluation: Evaluation) -> Bars:
    """Pairs of categories that are taken for one another most often (hotcoco, `confusion_matrix`)."""
    scores = np.sort(submission.found.scores)[::-1]
    limit = float(scores[min(len(truth.ids), len(scores)) - 1])
    counts = np.array(evaluation.engine.confusion_matrix(iou_thr=0.5, min_score=limit)["matrix"], np.int64)
    names = [truth.categories[id].name for id in evaluation.categories]
    pairs = counts[: len(names), : len(names)].copy()
    np.fill_diagonal(pairs, 0)
    order = np.argsort(-pairs, axis=None, kind="stable")[:_MOST_PAIRS]
    places = [divmod(int(one), len(names)) for one in order if pairs.flat[one] > 0]
    bars = [Bar(f"{names[row]} → {names[column]}", float(pairs[row, column])) for row, column in places]
    note = f"True → detected category at IoU 0.5, detections with a score of at least {limit:.3g}: as many as objects."
    return Bars("Most confused", note, bars, digits=0)


@dataclass(frozen=True)
class _Samples(Sequence[Sample]):
    """The images of a gallery, put together one by one when they are drawn."""

    truth: DetectionTruth
    submission: DetectionSubmission
    chosen: Sequence[tuple[str, str]]
    picture: Callable[[DetectionTruth, str], Picture]
    missed: NDArray[np.bool_]
    wrong: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        id, note = self.chosen[index]
        true = as_prediction(self.truth, id, crowds=True)
        if self.submission.kind == "boxes":
            true = dataclasses.replace(true, masks=None)
        missed = self.missed[self.truth.rows_of(self.truth.images[id].id)].tolist()
        views = (Outlines("truth", true, tuple(missed)), self._best(id, 2 * len(missed) + 1))
        return Sample(id, note, self.picture(self.truth, id), views)

    def _best(self, id: str, limit: int) -> Outlines:
        """The best detections of an image."""
        found, image = self.submission.found, self.truth.images[id]
        rows = np.flatnonzero(found.image_ids == image.id)
        rows = rows[np.argsort(-found.scores[rows], kind="stable")][: min(limit, _MOST_DRAWN)]
        corners, masks = found.boxes[rows].copy(), None
        if found.counts is not None:
            counts = [found.counts[row] for row in rows]
            masks = tuple(RLE((image.height, image.width), one.encode()) for one in counts)
            corners = np.array([box_of(from_string(one), image.height) for one in counts], np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        scores = found.scores[rows].astype(np.float32)
        best = Detections(corners.astype(np.float32), scores, found.category_ids[rows], masks)
        return Outlines("prediction", best, tuple(self.wrong[rows].tolist()))


def _spread(values: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`values`, which are of the chosen rows, over all rows; False elsewhere."""
    every = np.zeros(len(chosen), np.bool_)
    every[chosen] = values
    return every
