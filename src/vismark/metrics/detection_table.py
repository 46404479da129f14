"""One row an image: what was found in it, what was missed, and the average precision of the image alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vismark.metrics.detection import RECALLS, Found, Images, Objects, Outcome


def image_table(images: Images, objects: Objects, found: Found, outcome: Outcome) -> dict[str, list[Any]]:
    """Columns over images, at IoU 0.5: AP50 (all categories in one list), TP, FP, FN, and the best score.

    AP50 is None where an image has neither objects nor wrong detections, 0 where it has no objects but detections.
    """
    count = len(images.ids)
    place = np.searchsorted(images.ids, found.image_ids)
    order = np.lexsort((-found.scores, place))
    hits, wrong, missed = outcome.found == 1, outcome.found == -1, outcome.missed
    true_positives = np.bincount(place[hits], minlength=count)
    false_positives = np.bincount(place[wrong], minlength=count)
    false_negatives = np.bincount(np.searchsorted(images.ids, objects.image_ids[missed]), minlength=count)
    bounds = np.searchsorted(place[order], np.arange(count + 1))
    columns: dict[str, list[Any]] = {
        "AP50": [],
        "TP": true_positives.tolist(),
        "FP": false_positives.tolist(),
        "FN": false_negatives.tolist(),
        "best_score": [],
    }
    for row in range(count):
        rows = order[bounds[row] : bounds[row + 1]]
        objects_here = int(true_positives[row] + false_negatives[row])
        columns["AP50"].append(average_precision(outcome.found[rows], objects_here))
        columns["best_score"].append(float(found.scores[rows[0]]) if rows.size else None)
    return columns


def average_precision(outcomes: NDArray[np.int8], objects: int) -> float | None:
    """Mean of the interpolated precision at 101 recalls.

    Args:
        outcomes: 1 right, −1 wrong, 0 not counted; by descending score.
        objects: how many there are to be found.
    """
    if not objects:
        return 0.0 if (outcomes == -1).any() else None
    hits, wrong = np.cumsum(outcomes == 1), np.cumsum(outcomes == -1)
    if not hits.size or not hits[-1]:
        return 0.0
    precision = hits / np.maximum(hits + wrong, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(hits / objects, RECALLS, side="left")
    return float(np.append(precision, 0.0)[at].mean())
