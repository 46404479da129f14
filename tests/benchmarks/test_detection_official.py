"""What pycocotools does with odd input, what official mode makes of it, and what strict mode says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

import vismark
from detection_builder import official, results, run_lengths, truth, write
from vismark.problems import Refused

Change = Callable[[dict[str, Any], list[Any]], Any]


def _set(field: str, value: Any, row: int = 3) -> Change:
    def change(_: dict[str, Any], detections: list[Any]) -> None:
        detections[row][field] = value

    return change


def _drop(field: str) -> Change:
    def change(_: dict[str, Any], detections: list[Any]) -> None:
        del detections[3][field]

    return change


def _all_nan(_: dict[str, Any], detections: list[Any]) -> None:
    for one in detections:
        one["score"] = float("nan")


def _box_of(index: int, value: float) -> Change:
    def change(_: dict[str, Any], detections: list[Any]) -> None:
        detections[3]["bbox"][index] = value

    return change


def _twice(_: dict[str, Any], detections: list[Any]) -> None:
    detections.append(copy.deepcopy(detections[0]))


def _half(_: dict[str, Any], detections: list[Any]) -> list[Any]:
    return [one for one in detections if one["image_id"] < 20]


def _same_id(content: dict[str, Any], _: list[Any]) -> None:
    content["annotations"][1]["id"] = content["annotations"][0]["id"]


def _zero_id(content: dict[str, Any], _: list[Any]) -> None:
    content["annotations"][0]["id"] = 0


def _ignore(content: dict[str, Any], _: list[Any]) -> None:
    content["annotations"][0]["ignore"] = 1


def _no_crowd(content: dict[str, Any], _: list[Any]) -> None:
    del content["annotations"][0]["iscrowd"]


# Defect → the code that strict mode gives ("" : no error), and whether pycocotools takes it.
BOXES: dict[str, tuple[Change, str, bool]] = {
    "an empty list": (lambda _, d: [], "SUB_EMPTY", False),
    "not a list": (lambda _, d: {"annotations": d}, "JSON_TOP_LEVEL", False),
    "an unknown image": (_set("image_id", 999), "SUB_IMAGE_UNKNOWN", False),
    "an image id as text": (_set("image_id", "7"), "FIELD_TYPE", False),
    "an image id 7.0": (_set("image_id", 7.0), "FIELD_INTEGRAL", True),
    "an unknown category": (_set("category_id", 99), "SUB_CATEGORY_UNKNOWN", True),
    "a category as text": (_set("category_id", "1"), "FIELD_TYPE", True),
    "no category": (_drop("category_id"), "MISSING_FIELD", False),
    "one NaN score": (_set("score", float("nan")), "SUB_SCORE", True),
    "all scores NaN": (_all_nan, "SUB_SCORE", True),
    "a score of infinity": (_set("score", float("inf")), "SUB_SCORE", True),
    "no score": (_drop("score"), "MISSING_FIELD", False),
    "a score as text": (_set("score", "0.5"), "FIELD_TYPE", False),
    "a boolean score": (_set("score", True), "FIELD_INTEGRAL", True),
    "a negative width": (_box_of(2, -5.0), "SUB_BBOX", True),
    "a width of 0": (_box_of(2, 0.0), "SUB_BBOX", True),
    "a NaN in a box": (_box_of(0, float("nan")), "SUB_BBOX", True),
    "a box of three numbers": (_set("bbox", [1, 2, 3]), "FIELD_TYPE", False),
    "a first box without numbers": (_set("bbox", [], 0), "FIELD_TYPE", False),
    "no box": (_drop("bbox"), "MISSING_FIELD", False),
    "a detection given twice": (_twice, "", True),
    "images without detections": (_half, "", True),
    "truth: an id given twice": (_same_id, "ANN_ID_DUP", True),
    "truth: the id 0": (_zero_id, "ANN_ID_ZERO", True),
    "truth: `ignore`": (_ignore, "", True),
    "truth: no `iscrowd`": (_no_crowd, "REF_FORMAT", False),
}


def _mask(segmentation: Any) -> Change:
    return _set("segmentation", segmentation)


def _swapped(_: dict[str, Any], detections: list[Any]) -> None:
    detections[3]["segmentation"]["size"].reverse()


def _larger(_: dict[str, Any], detections: list[Any]) -> None:
    import numpy as np

    detections[3]["segmentation"] = run_lengths(np.ones((61, 80)))


def _with_boxes(_: dict[str, Any], detections: list[Any]) -> None:
    for one in detections:
        one["bbox"] = [0.0, 0.0, 40.0, 40.0]


def _boxes_only(_: dict[str, Any], detections: list[Any]) -> None:
    for one in detections:
        one["bbox"] = [2.0, 3.0, 20.0, 10.0]
        del one["segmentation"]


def _polygons(_: dict[str, Any], detections: list[Any]) -> None:
    _with_boxes(_, detections)
    detections[3]["segmentation"] = [[5, 5, 30, 5, 30, 30, 5, 30]]


MASKS: dict[str, tuple[Change, str, bool]] = {
    "height and width swapped": (_swapped, "SUB_RLE_SIZE", True),
    "a mask of another size": (_larger, "SUB_RLE_SIZE", True),
    "a polygon": (_mask([[5, 5, 30, 5, 30, 30]]), "FIELD_TYPE", False),
    "a polygon beside a box": (_polygons, "SUB_POLYGON", True),
    "uncompressed runs": (_mask({"size": [60, 80], "counts": [10, 4790]}), "FIELD_TYPE", False),
    "boxes beside the masks": (_with_boxes, "", True),
    "boxes only": (_boxes_only, "SUB_KIND", True),
}

CASES = [("boxes", name, *case) for name, case in BOXES.items()] + [
    ("masks", name, *case) for name, case in MASKS.items()
]


def _score(gt: Path, file: Path, iou: str, mode: Literal["strict", "official"]) -> Any:
    return vismark.score("coco-detection", file, references=gt, protocol=iou, mode=mode)


@pytest.mark.parametrize(("iou", "name", "change", "code", "accepted"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_odd_input(tmp_path: Path, iou: str, name: str, change: Change, code: str, accepted: bool) -> None:
    content = truth(3)
    detections: Any = results(content, 3, masks=iou == "masks")
    changed = change(content, detections)
    detections = detections if changed is None else changed
    gt, file = write(tmp_path, content, detections)
    theirs = _theirs(content, detections, iou)
    assert (theirs is not None) == accepted, "pycocotools does otherwise"
    if accepted:
        assert _score(gt, file, iou, "official").metrics == theirs
    else:
        with pytest.raises(Refused) as refused:
            _score(gt, file, iou, "official")
        assert refused.value.problems.errors
    if code:
        with pytest.raises(Refused) as refused:
            _score(gt, file, iou, "strict")
        assert {problem.code for problem in refused.value.problems if problem.severity == "error"} == {code}
    elif name != "boxes beside the masks":
        assert _score(gt, file, iou, "strict").metrics == theirs


def _theirs(content: dict[str, Any], detections: Any, iou: str) -> dict[str, float | None] | None:
    try:
        return official(content, detections, iou)
    except (IndexError, AssertionError, KeyError, TypeError, ValueError):
        return None


def test_strict_masks_have_the_areas_of_masks(tmp_path: Path) -> None:
    """Boxes beside masks make pycocotools take the boxes' areas; detectron2 deletes them first, and so do we."""
    content = truth(3)
    plain = results(content, 3, masks=True)
    boxed = copy.deepcopy(plain)
    _with_boxes({}, boxed)
    gt, file = write(tmp_path, content, boxed)
    assert _score(gt, file, "masks", "strict").metrics == official(content, plain, "masks")
    assert official(content, plain, "masks") != official(content, boxed, "masks")


@pytest.mark.parametrize("counts", ["", "0", "0P", "oX`9~", "PPPPPPPPPPPP", "\u0142", "{{", "1 1"])
@pytest.mark.parametrize("mode", ["strict", "official"])
def test_corrupt_masks_are_refused_in_both_modes(
    tmp_path: Path, counts: str, mode: Literal["strict", "official"]
) -> None:
    """pycocotools decodes them into memory that nobody wrote to: its number is a different one every time."""
    content = truth(3)
    detections = results(content, 3, masks=True)
    detections[2]["segmentation"]["counts"] = counts
    gt, file = write(tmp_path, content, detections)
    with pytest.raises(Refused) as refused:
        _score(gt, file, "masks", mode)
    assert [problem.code for problem in refused.value.problems if problem.severity == "error"] == ["SUB_RLE_COUNTS"]


def test_masks_scored_as_boxes_take_the_box_around_them(tmp_path: Path) -> None:
    content = truth(3)
    detections = results(content, 3, masks=True)
    gt, file = write(tmp_path, content, detections)
    assert _score(gt, file, "boxes", "official").metrics == official(content, detections, "boxes")
    problems = vismark.check("coco-detection", file, references=gt, protocol="boxes")
    assert problems.totals["SUB_KIND"] == len(detections)


def test_nan_literals_are_read_as_python_reads_them(tmp_path: Path) -> None:
    content = truth(3)
    detections = results(content, 3)
    detections[1]["score"] = float("nan")
    detections[4]["bbox"][1] = float("-inf")
    gt, file = write(tmp_path, content, json.dumps(detections, indent=1))
    problems = vismark.check("coco-detection", file, references=gt)
    assert [(p.code, p.where) for p in problems if p.severity == "error"] == [
        ("SUB_SCORE", "/1/score"),
        ("SUB_BBOX", "/4/bbox"),
    ]
    assert _score(gt, file, "boxes", "official").metrics == official(content, detections, "boxes")
