"""Average precision on random data: arrays, hotcoco and pycocotools agree to the last bit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection_builder import CATEGORIES, HEIGHT, WIDTH, official, results, run_lengths, truth
from vismark.metrics import detection_official
from vismark.metrics.base import Accumulator
from vismark.metrics.detection import (
    AveragePrecision,
    Evaluation,
    Found,
    Images,
    Objects,
    TrueObjects,
    evaluate,
    mask_areas,
)
from vismark.metrics.detection_table import average_precision
from vismark.tasks import RLE, Detections


def ours(content: dict[str, Any], detections: list[Any], iou: Any) -> Evaluation:
    """The evaluation of vismark's columns."""
    annotations = content["annotations"]
    pictures = sorted(content["images"], key=lambda picture: picture["id"])
    images = Images(
        np.array([one["id"] for one in pictures]), np.array([(one["height"], one["width"]) for one in pictures])
    )
    objects = Objects(
        np.array([one["image_id"] for one in annotations], np.int64),
        np.array([one["category_id"] for one in annotations], np.int64),
        np.array([one["bbox"] for one in annotations], np.float64).reshape(-1, 4),
        np.array([one["area"] for one in annotations], np.float64),
        np.array([one["iscrowd"] == 1 for one in annotations], np.bool_),
        [one["segmentation"] for one in annotations],
    )
    masks = [one["segmentation"] for one in detections] if iou == "masks" else None
    found = Found(
        np.array([one["image_id"] for one in detections], np.int64),
        np.array([one["category_id"] for one in detections], np.int64),
        np.array([one.get("bbox", [0, 0, 0, 0]) for one in detections], np.float64).reshape(-1, 4),
        np.array([one["score"] for one in detections], np.float64),
        mask_areas(masks) if masks else None,
        masks,
    )
    return evaluate(images, [one["id"] for one in content["categories"]], objects, found, iou)


@st.composite
def scenes(draw: st.DrawFn, masks: bool) -> tuple[dict[str, Any], list[Any]]:
    """A ground truth with crowds, empty images and sizes on the borders, and detections with ties."""
    pictures = [{"id": id, "height": HEIGHT, "width": WIDTH} for id in draw(st.permutations([2, 5, 9, 40]))]
    side, place = st.sampled_from([0, 1, 4, 8, 32, 33]), st.integers(0, 30)
    boxes = st.tuples(place, place, side, side).map(lambda box: [float(v) for v in box])
    near = st.sampled_from([0.0, 0.25, 1.0])
    annotations, detections = [], []
    for id, box in enumerate(draw(st.lists(boxes, min_size=1, max_size=8)), 1):
        image, category = draw(st.sampled_from([2, 5, 9])), draw(st.sampled_from(CATEGORIES))
        annotations.append(
            {"id": id, "image_id": image, "category_id": category, "bbox": box, "area": box[2] * box[3],
             "iscrowd": draw(st.integers(0, 5)) // 5, "segmentation": run_lengths(square(box))}
        )  # fmt: skip
        for _ in range(draw(st.integers(0, 3))):
            moved = [box[0] + draw(near), box[1] + draw(near), box[2] + draw(near), box[3]]
            one = {"image_id": image, "category_id": category, "score": draw(st.sampled_from([0.1, 0.5, 0.5, 0.9]))}
            detections.append(one | ({"segmentation": run_lengths(square(moved))} if masks else {"bbox": moved}))
    if not detections:
        one = {"image_id": 40, "category_id": 1, "score": 0.5}
        box = [1.0, 1.0, 5.0, 5.0]
        detections.append(one | ({"segmentation": run_lengths(square(box))} if masks else {"bbox": box}))
    categories = [{"id": id, "name": str(id)} for id in CATEGORIES]
    return {"images": pictures, "annotations": annotations, "categories": categories}, draw(st.permutations(detections))


def square(box: list[float]) -> np.ndarray[Any, Any]:
    """The mask of a box."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y, width, height = (round(value) for value in box)
    pixels[y : y + height, x : x + width] = 1
    return pixels


@pytest.mark.parametrize("iou", ["boxes", "masks"])
def test_equal_to_pycocotools(iou: Any) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(scenes(iou == "masks"))
    def prove(scene: tuple[dict[str, Any], list[Any]]) -> None:
        content, detections = scene
        got = ours(content, detections, iou)
        assert got.numbers() == official(content, detections, iou)
        images = [one["id"] for one in content["images"]]
        other = detection_official.evaluate(copy.deepcopy(content), copy.deepcopy(detections), images, iou)
        assert (got.precision == other.precision).all() and (got.recall == other.recall).all()
        assert (got.outcome.found == other.outcome.found).all()
        assert (got.outcome.missed == other.outcome.missed).all()

    prove()


def test_no_more_than_a_hundred_detections_count() -> None:
    content = truth(5, images=3)
    detections = results(content, 5, each=60)
    counts = np.bincount([one["image_id"] for one in detections])
    assert counts.max() > 130
    assert ours(content, detections, "boxes").numbers() == official(content, detections, "boxes")


def test_no_detection_at_all() -> None:
    numbers = ours(truth(1), [], "boxes").numbers()
    assert {numbers[name] for name in ("AP", "AP50", "AR1", "AR100")} == {0.0}


def rows(content: dict[str, Any], detections: list[Any], iou: str) -> dict[str, tuple[Any, ...]]:
    """What a training loop has: arrays of one image after another."""
    found = {}
    for picture in content["images"]:
        mine = [one for one in content["annotations"] if one["image_id"] == picture["id"]]
        theirs = [one for one in detections if one["image_id"] == picture["id"]]
        boxes = [one.get("bbox", [0, 0, 1, 1]) for one in theirs]
        found[f"{picture['id']:05}"] = (
            (picture["height"], picture["width"]),
            TrueObjects(
                corners([one["bbox"] for one in mine]),
                np.array([one["category_id"] for one in mine], np.int64),
                np.array([one["iscrowd"] == 1 for one in mine], np.bool_),
                np.array([one["area"] for one in mine], np.float64),
                [one["segmentation"] for one in mine],
            ),
            Detections(
                corners(boxes),
                np.array([one["score"] for one in theirs], np.float64),
                np.array([one["category_id"] for one in theirs], np.int64),
                tuple(RLE(tuple(m["size"]), m["counts"].encode()) for m in (one["segmentation"] for one in theirs))
                if iou == "masks"
                else None,
            ),
        )
    return found


def corners(boxes: list[list[float]]) -> np.ndarray[Any, Any]:
    """left, top, right, bottom."""
    array = np.array(boxes, np.float64).reshape(-1, 4)
    return np.column_stack([array[:, :2], array[:, :2] + array[:, 2:]])


@pytest.mark.parametrize("iou", ["boxes", "masks"])
def test_ranks_in_any_order_give_the_same_bits(iou: Any) -> None:
    content = truth(4)
    detections = results(content, 4, masks=iou == "masks")
    for one in detections:
        if "bbox" in one:  # whole pixels: corners and sizes are then the same numbers
            one["bbox"] = [float(round(v)) for v in one["bbox"]]
    expected = official(content, detections, iou)
    metric = AveragePrecision(CATEGORIES, iou)
    assert metric.outputs == tuple(expected)
    whole, first, second = Accumulator(metric), Accumulator(metric), Accumulator(metric)
    for number, (id, sample) in enumerate(rows(content, detections, iou).items()):
        whole.update(id, *sample)
        (second if number % 2 else first).update(id, *sample)
    second.merge(first)
    assert whole.compute() == second.compute() == expected


def test_arrays_that_do_not_fit_are_refused() -> None:
    metric = AveragePrecision([1], "masks")
    none = np.zeros((0, 4)), np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="none"):
        metric.row((9, 9), TrueObjects(*none), Detections(none[0], np.zeros(0), none[1]))
    with pytest.raises(ValueError, match="same length"):
        AveragePrecision([1]).row((9, 9), TrueObjects(*none), Detections(none[0], np.zeros(3), none[1]))
    assert set(metric.reduce([]).values()) == {None}


def test_average_precision_of_one_image() -> None:
    assert average_precision(np.array([1, -1, 1], np.int8), 2) == pytest.approx((51 * 1.0 + 50 * 2 / 3) / 101)
    assert average_precision(np.array([-1], np.int8), 0) == 0.0
    assert average_precision(np.array([0], np.int8), 0) is None
    assert average_precision(np.array([-1, 0], np.int8), 3) == 0.0
