"""mIoU and its kin: equal to counting pixel by pixel and to hotcoco, in any split and order of the images."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from vismark.metrics.base import Accumulator
from vismark.metrics.semantic import Cell, Row, SemanticQuality, confusion

CLASSES = 4
LABELS = st.sampled_from([0, 1, 2, 3, 255])
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def pairs() -> st.SearchStrategy[Pair]:
    shapes = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)
    return shapes.flatmap(lambda s: st.tuples(*[arrays.arrays(np.uint8, s, elements=LABELS)] * 2))


def brute_force(samples: list[Pair]) -> dict[str, float | None]:
    """The formulas over lists of pixels; pixels without a true or a predicted label are not counted."""
    pixels = [(g, p) for truth, predicted in samples for g, p in zip(truth.ravel(), predicted.ravel(), strict=True)]
    pixels = [(g, p) for g, p in pixels if g != 255 and p != 255]
    iou, acc, weight = [], [], []
    for c in range(CLASSES):
        gt, pred = sum(g == c for g, _ in pixels), sum(p == c for _, p in pixels)
        tp = sum(g == p == c for g, p in pixels)
        if gt:
            iou.append(tp / (gt + pred - tp))
            acc.append(tp / gt)
            weight.append(gt / len(pixels))
    if not iou:
        return dict.fromkeys(("mIoU", "fwIoU", "mACC", "pACC"))
    return {
        "mIoU": 100 * sum(iou) / len(iou),
        "fwIoU": 100 * sum(i * w for i, w in zip(iou, weight, strict=True)),
        "mACC": 100 * sum(acc) / len(acc),
        "pACC": 100 * sum(g == p for g, p in pixels) / len(pixels),
    }


@given(st.lists(pairs(), max_size=3))
@settings(max_examples=200, deadline=None)
def test_numbers_equal_brute_force(samples: list[Pair]) -> None:
    metric = SemanticQuality(CLASSES)
    got = metric.reduce([metric.row(*pair) for pair in samples])
    expected = brute_force(samples)
    assert {name for name, value in got.items() if value is None} == {n for n, v in expected.items() if v is None}
    assert {n: v for n, v in got.items() if v is not None} == pytest.approx(
        {n: v for n, v in expected.items() if v is not None}, abs=1e-10
    )


@given(pairs())
@settings(max_examples=100, deadline=None)
def test_counts_equal_hotcoco(pair: Pair) -> None:
    """Where every pixel is claimed; hotcoco knows no prediction without a label."""
    from hotcoco.semantic import SemanticEval

    truth, predicted = pair[0], np.where(pair[1] == 255, 0, pair[1]).astype(np.uint8)
    theirs = SemanticEval(CLASSES)
    theirs.update(truth, predicted)
    ours = SemanticQuality(CLASSES).matrix([confusion(truth, predicted, CLASSES)])[:-1, :-1]
    assert np.array_equal(ours, np.asarray(theirs.confusion()).reshape(CLASSES, CLASSES).T)


@given(st.lists(pairs(), min_size=1, max_size=6), st.integers(1, 4), st.randoms())
@settings(max_examples=50, deadline=None)
def test_any_split_and_order_gives_the_same_bits(samples: list[Pair], ranks: int, chance: random.Random) -> None:
    metric = SemanticQuality(CLASSES)
    whole, shards = Accumulator(metric), [Accumulator(metric) for _ in range(ranks)]
    named = [(f"{number:03}", pair) for number, pair in enumerate(samples)]
    for id, pair in named:
        whole.update(id, *pair)
    chance.shuffle(named)
    for number, (id, pair) in enumerate(named):
        shards[number % ranks].update(id, *pair)
    chance.shuffle(shards)
    for other in shards[1:]:
        shards[0].merge(other)
    assert shards[0].compute() == whole.compute()


def test_absent_classes_are_left_out_even_when_predicted() -> None:
    truth, predicted = np.array([[0, 0, 1, 255]]), np.array([[0, 2, 1, 2]])
    metric = SemanticQuality(3)
    row = metric.row(truth, predicted)
    assert row == (Cell(0, 0, 1), Cell(1, 1, 1), Cell(2, 0, 1), Cell(2, 3, 1))
    assert metric.reduce([row]) == pytest.approx({"mIoU": 75, "fwIoU": 200 / 3, "mACC": 75, "pACC": 200 / 3})
    categories = metric.categories([row])
    assert categories[2] == {"IoU": None, "ACC": None, "right": 0, "true": 0, "predicted": 1}
    assert categories[0] == {"IoU": 50.0, "ACC": 50.0, "right": 1, "true": 2, "predicted": 1}


def test_pixels_without_a_predicted_label_are_dropped_as_officially() -> None:
    truth, predicted = np.array([[0, 0, 1, 1]]), np.array([[0, 255, 1, 255]])
    metric = SemanticQuality(2)
    assert metric.reduce([metric.row(truth, predicted)])["mIoU"] == 100.0


@pytest.mark.parametrize("labels", [[[0, 4]], [[0, -1]], [[0, 254]]])
def test_other_labels_are_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match=r"labels are 0 … 3 or 255, not \["):
        confusion(np.zeros((1, 2), np.int64), np.array(labels), CLASSES)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shape"):
        confusion(np.zeros((1, 2), np.int64), np.zeros((2, 1), np.int64), CLASSES)


def test_bootstrap_interval_agrees_with_brute_force() -> None:
    chance = np.random.default_rng(1)
    metric = SemanticQuality(2)
    rows: list[Row] = []
    for _ in range(40):
        truth = chance.integers(0, 2, (6, 6))
        rows.append(metric.row(truth, np.where(chance.random((6, 6)) < chance.random(), truth, 1 - truth)))
    draws = [metric.reduce([rows[n] for n in chance.integers(0, 40, 40)])["mIoU"] for _ in range(2000)]
    low, high = metric.intervals(rows)["mIoU"]
    assert low == pytest.approx(np.quantile([d for d in draws if d is not None], 0.025), abs=1.5)
    assert high == pytest.approx(np.quantile([d for d in draws if d is not None], 0.975), abs=1.5)
    assert metric.intervals(rows[:5]) == {}
