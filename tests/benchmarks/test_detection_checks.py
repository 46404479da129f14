"""Every fault of a results file is listed, with its place and a remedy; nothing else is."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vismark
from detection_builder import results, run_lengths, truth, write
from vismark.problems import Problems


def check(tmp_path: Path, detections: Any, protocol: str = "boxes", content: dict[str, Any] | None = None) -> Problems:
    """The findings of strict mode, without those that any small file gives."""
    gt, file = write(tmp_path, content or truth(2), detections)
    return vismark.check("coco-detection", file, references=gt, protocol=protocol)


def found(problems: Problems, severity: str = "error") -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in problems if one.severity == severity and one.code != "REF_OTHER_SPLIT"]


def test_seven_defects_give_seven_lines(tmp_path: Path) -> None:
    detections = results(truth(2), 2)
    detections[0]["category_id"] = 99
    detections[1]["score"] = "high"
    detections[2]["bbox"] = [1, 2, -3, 4]
    del detections[3]["score"]
    detections[4]["bbox"] = [1, 2, 3]
    detections[5]["image_id"] = 7.0
    detections[6] = [1, 2, 3]
    assert found(check(tmp_path, detections)) == [
        ("SUB_CATEGORY_UNKNOWN", "/0/category_id"),
        ("FIELD_TYPE", "/1/score"),
        ("SUB_BBOX", "/2/bbox"),
        ("MISSING_FIELD", "/3"),
        ("FIELD_TYPE", "/4/bbox"),
        ("FIELD_INTEGRAL", "/5/image_id"),
        ("FIELD_TYPE", "/6"),
    ]


def test_every_fault_has_a_remedy_and_its_image(tmp_path: Path) -> None:
    detections = results(truth(2), 2)
    detections[5] |= {"category_id": 99, "score": None, "bbox": [0, 0, 0, 0]}
    errors = [one for one in check(tmp_path, detections) if one.severity == "error"]
    assert [one.code for one in errors] == ["SUB_CATEGORY_UNKNOWN", "FIELD_TYPE", "SUB_BBOX"]
    assert all(one.item == str(detections[5]["image_id"]) and one.fix for one in errors)


def test_a_mask_of_swapped_size_is_told_apart(tmp_path: Path) -> None:
    detections = results(truth(2), 2, masks=True)
    detections[0]["segmentation"] = run_lengths(np.ones((80, 60)))
    detections[1]["segmentation"] = run_lengths(np.ones((30, 40)))
    errors = [one for one in check(tmp_path, detections, "masks") if one.severity == "error"]
    assert [one.code for one in errors] == ["SUB_RLE_SIZE", "SUB_RLE_SIZE"]
    assert "swapped" in errors[0].fix and "swapped" not in errors[1].fix
    assert "80×60" in errors[0].message and "60×80" in errors[0].message


def _as_positions(detections: list[Any]) -> list[Any]:
    place = {1: 0, 3: 1, 17: 2}
    return [one | {"category_id": place[one["category_id"]]} for one in detections]


def _as_corners(detections: list[Any]) -> list[Any]:
    return [one | {"bbox": [50, 40, 78, 58]} for one in detections]


def _normalised(detections: list[Any]) -> list[Any]:
    return [one | {"bbox": [v / 100 for v in one["bbox"]]} for one in detections]


def _crowded(detections: list[Any]) -> list[Any]:
    return [{"image_id": 7, "category_id": 1, "bbox": [n / 9, 0, 9, 9], "score": n / 130} for n in range(130)]


HINTS: dict[str, tuple[Callable[[list[Any]], list[Any]], str]] = {
    "positions": (_as_positions, "SUB_CATEGORY_CONTIGUOUS"),
    "corners": (_as_corners, "SUB_BBOX_XYXY"),
    "normalised": (_normalised, "SUB_BBOX_NORMALISED"),
    "equal scores": (lambda d: [one | {"score": 0.5} for one in d], "SUB_SCORE_EQUAL"),
    "scores above 1": (lambda d: [one | {"score": 100 * one["score"]} for one in d], "SUB_SCORE_RANGE"),
    "130 an image": (_crowded, "SUB_TOO_MANY_DETS"),
    "twins": (lambda d: [*d, d[3]], "SUB_DUPLICATE_DET"),
    "one image": (lambda d: [one for one in d if one["image_id"] == 7], "SUB_IMAGE_MISSING"),
}


@pytest.mark.parametrize("name", HINTS)
def test_hints(tmp_path: Path, name: str) -> None:
    change, code = HINTS[name]
    detections = results(truth(2), 2)
    assert code not in check(tmp_path / "before", detections) or name == "one image"
    problems = check(tmp_path, change(detections))
    assert code in problems


def test_images_of_another_split_are_recognised(tmp_path: Path) -> None:
    detections = [one | {"image_id": one["image_id"] + 1000} for one in results(truth(2), 2)]
    other = {"images": [{"id": 1007 + 10 * n} for n in range(9)]}
    tmp_path.joinpath("captions_val2014.json").write_text(json.dumps(other))
    (problem,) = [one for one in check(tmp_path, detections) if one.code == "SUB_IMAGE_UNKNOWN"]
    assert "captions_val2014.json" in problem.fix and "1007" in problem.value


def _text(detections: list[Any]) -> str:
    return json.dumps(detections)


TEXTS: dict[str, tuple[Callable[[list[Any]], bytes], str]] = {
    "a key twice": (lambda d: _text(d).replace('"score"', '"image_id": 7, "score"', 1).encode(), "JSON_DUPLICATE_KEY"),
    "deep nesting": (lambda d: _text([*d, 7]).replace(", 7]", ", " + "[" * 9999 + "]" * 9999 + "]").encode(), ""),
    "a deep value": (lambda d: _text(d).replace("}]", ', "x": ' + "[" * 5000 + "]" * 5000 + "}]").encode(), ""),
    "a large integer": (lambda d: _text([d[0] | {"image_id": 10**30}]).encode(), "SUB_IMAGE_UNKNOWN"),
    "a huge integer": (lambda d: _text(d).replace("0.5", "1" * 5000, 1).encode(), ""),
    "a byte order mark": (lambda d: b"\xef\xbb\xbf" + _text(d).encode(), "JSON_ENCODING"),
    "UTF-16": (lambda d: _text(d).encode("utf-16"), "JSON_ENCODING"),
    "gzip": (lambda d: gzip.compress(_text(d).encode()), "JSON_ENCODING"),
    "cut off": (lambda d: _text(d).encode()[:-9], "JSON_PARSE"),
    "garbage behind": (lambda d: _text(d).encode() + b"x", "JSON_PARSE"),
    "an empty file": (lambda d: b"", "JSON_PARSE"),
    "NaN and cut off": (lambda d: _text([d[0] | {"score": float("nan")}]).encode()[:-3], "JSON_PARSE"),
    "an object": (lambda d: _text({"annotations": d}).encode(), "JSON_TOP_LEVEL"),  # type: ignore[arg-type]
    "no UTF-8": (lambda d: _text(d).encode().replace(b"score", b"sc\xffre", 1), ""),
    "many values": (lambda d: b"[" + b"1," * 2_000_000 + b"1]", "FILE_TOO_LARGE"),
    "many objects": (lambda d: b"[" + b"{}," * 1_500_000 + b"{}]", "FILE_TOO_LARGE"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_strange_text_is_answered(tmp_path: Path, name: str) -> None:
    change, code = TEXTS[name]
    gt, file = write(tmp_path, truth(2), "")
    file.write_bytes(change(results(truth(2), 2)))
    problems = vismark.check("coco-detection", file, references=gt)
    assert problems.errors
    if code:
        assert next(one for one, _ in found(problems)) == code


def test_reading_stops_after_too_many_faults(tmp_path: Path) -> None:
    problems = check(tmp_path, [{"image_id": 7, "category_id": 50, "bbox": [1, 1, 2, 2], "score": 0.5}] * 30_000)
    assert problems.totals["SUB_CATEGORY_UNKNOWN"] == 20_000 and "SUB_TOO_MANY_FAULTS" in problems
    assert sum(one.code == "SUB_CATEGORY_UNKNOWN" for one in problems) == 1000


def _cut(content: dict[str, Any]) -> None:
    content["annotations"][0]["segmentation"] = [[1, 2, 3]]


def _short(content: dict[str, Any]) -> None:
    content["annotations"][0]["segmentation"] = {"size": [60, 80], "counts": [5, 7]}


@pytest.mark.parametrize(("change", "code"), [(_cut, "SEGM_FORMAT"), (_short, "RLE_COUNTS")])
def test_masks_of_the_truth_are_checked_where_they_count(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    content = truth(2)
    change(content)
    assert code in check(tmp_path, results(content, 2, masks=True), "masks", content)
    assert code not in check(tmp_path, results(content, 2), "boxes", content)


@pytest.mark.parametrize(
    ("boxes", "scores", "categories", "code"),
    [
        ([[0, 0, 9, 9]], [0.5], [99], "PREDICTION_CATEGORY"),
        ([[0, 0, 9, 9]], [float("nan")], [1], "PREDICTION_SCORE"),
        ([[9, 9, 0, 0]], [0.5], [1], "PREDICTION_BOX"),
        ([[0, 0, 9, 9]], [0.5, 0.6], [1], "PREDICTION_SIZE"),
    ],
)
def test_predictions_are_checked_before_they_are_written(
    boxes: list[Any], scores: list[float], categories: list[int], code: str
) -> None:
    from vismark.formats.detection_write import prediction_problems
    from vismark.tasks import RLE, Detections

    answer = Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(categories))
    assert code in prediction_problems(answer, (60, 80), [1, 3], "7")
    masked = Detections(
        np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32), np.ones(1, np.int64), (RLE((60, 80), b"0"),)
    )
    assert "PREDICTION_MASK" in prediction_problems(masked, (60, 80), [1, 3], "7")
