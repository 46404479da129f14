"""pycocotools itself, for results with faults that it takes without a word; what it makes of them only it can tell."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from vismark.metrics.detection import Evaluation, Iou, Outcome


def evaluate(truth: dict[str, Any], results: list[Any], images: Sequence[int], iou: Iou) -> Evaluation:
    """The evaluation of pycocotools 2.0.11.

    Args:
        truth: the content of an instances file; it is changed.
        results: the content of a results file; it is changed.
        images: ids of the images that are scored.

    Raises:
        Exception: what pycocotools raises when it refuses.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        found = reference.loadRes(results)
        engine = COCOeval(reference, found, "bbox" if iou == "boxes" else "segm")
        engine.params.imgIds = sorted(images)
        engine.evaluate()
        engine.accumulate()
    precision, recall = engine.eval["precision"], engine.eval["recall"]
    outcome = _outcome(engine.evalImgs, truth, len(results))
    return Evaluation([int(id) for id in engine.params.catIds], (1, 10, 100), precision, recall, outcome)


def _outcome(records: Sequence[Any], truth: dict[str, Any], count: int) -> Outcome:
    """What became of each row at IoU 0.5; rows of images and categories that are not scored stay 0 and False."""
    found = np.zeros(count, np.int8)
    places = {annotation["id"]: row for row, annotation in enumerate(truth["annotations"])}
    missed = np.zeros(len(truth["annotations"]), np.bool_)
    for record in records:
        if record is None or record["aRng"][1] < 1e10 or record["aRng"][0] > 0:
            continue
        for id, match, ignored in zip(record["dtIds"], record["dtMatches"][0], record["dtIgnore"][0], strict=True):
            found[id - 1] = 0 if ignored else (1 if match > 0 else -1)
        for id, match, ignored in zip(record["gtIds"], record["gtMatches"][0], record["gtIgnore"], strict=True):
            missed[places[id]] = not ignored and match == 0
    return Outcome(found, missed)
