"""Panoptic quality: the plain form, hotcoco's and panopticapi's agree, whatever the input and the split of the work."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panoptic_pairs import CATEGORIES, images
from vismark.metrics.base import Accumulator
from vismark.metrics.panoptic import PanopticQuality, Row, Stat, TrueSegment, match


def official(image: dict[str, Any], folder: Path) -> dict[int, tuple[float, int, int, int]]:
    """panopticapi's statistics of one image."""
    evaluation = pytest.importorskip("panopticapi.evaluation", reason="panopticapi-lite is not installed")
    true, predicted = records(image, folder)
    categories = {id: {"id": id, "isthing": int(thing)} for id, thing in CATEGORIES.items()}
    stat = evaluation.pq_compute_single_core(0, [(true, predicted)], str(folder / "t"), str(folder / "p"), categories)
    return {c: (s.iou, s.tp, s.fp, s.fn) for c, s in stat.pq_per_cat.items() if s.tp or s.fp or s.fn}


def records(image: dict[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The image in panopticapi's form, its PNGs written."""
    from vismark.formats.panoptic import encode_ids

    for name, ids in (("t", image["truth"]), ("p", image["predicted"])):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "1.png").write_bytes(encode_ids(ids))
    true = [
        {"id": s.id, "category_id": s.category, "area": s.area, "iscrowd": int(s.iscrowd)} for s in image["segments"]
    ]
    predicted = [{"id": id, "category_id": category} for id, category in image["predictions"].items()]
    common = {"image_id": 1, "file_name": "1.png"}
    return common | {"segments_info": true}, common | {"segments_info": predicted}


def plain(image: dict[str, Any]) -> Row:
    return match(image["truth"], image["segments"], image["predicted"], image["predictions"])


@given(images())
@settings(max_examples=300, deadline=None)
def test_plain_form_equals_panopticapi(tmp_path_factory: pytest.TempPathFactory, image: dict[str, Any]) -> None:
    expected = official(image, tmp_path_factory.mktemp("pair"))
    got = {s.category: (s.iou, s.tp, s.fp, s.fn) for s in plain(image)}
    assert got.keys() == expected.keys()
    for category, (iou, *counts) in got.items():
        assert counts == list(expected[category][1:])
        assert iou == pytest.approx(expected[category][0], abs=1e-12)


@given(images())
@settings(max_examples=300, deadline=None)
def test_hotcoco_equals_plain_form(tmp_path_factory: pytest.TempPathFactory, image: dict[str, Any]) -> None:
    from hotcoco.panoptic import PanopticEval

    folder = tmp_path_factory.mktemp("pair")
    true, predicted = records(image, folder)
    categories = [{"id": id, "name": str(id), "isthing": int(thing)} for id, thing in CATEGORIES.items()]
    evaluation = PanopticEval(
        {"annotations": [true], "categories": categories},
        {"annotations": [predicted]},
        gt_folder=folder / "t",
        pred_folder=folder / "p",
    )
    evaluation.evaluate()
    theirs = {c: s for c, s in evaluation.results()["per_class"].items() if s["tp"] or s["fp"] or s["fn"]}
    ours = {s.category: s for s in plain(image)}
    assert ours.keys() == theirs.keys()
    for category, stat in ours.items():
        assert (stat.tp, stat.fp, stat.fn) == tuple(theirs[category][name] for name in ("tp", "fp", "fn"))
        assert stat.iou == pytest.approx(theirs[category]["iou"], abs=1e-12)


@given(st.lists(images(), min_size=1, max_size=6), st.integers(1, 4), st.randoms())
@settings(max_examples=50, deadline=None)
def test_any_split_and_order_gives_the_same_bits(
    pairs: list[dict[str, Any]], ranks: int, chance: random.Random
) -> None:
    metric = PanopticQuality(*[[c for c, thing in CATEGORIES.items() if thing is kind] for kind in (True, False)])
    whole = Accumulator(metric)
    shards = [Accumulator(metric) for _ in range(ranks)]
    samples = [(f"{number:03}", pair) for number, pair in enumerate(pairs)]
    for id, pair in samples:
        whole.update(id, pair["truth"], pair["segments"], pair["predicted"], pair["predictions"])
    chance.shuffle(samples)
    for number, (id, pair) in enumerate(samples):
        shards[number % ranks].update(id, pair["truth"], pair["segments"], pair["predicted"], pair["predictions"])
    chance.shuffle(shards)
    merged = shards[0]
    for other in shards[1:]:
        merged.merge(other)
    assert merged.compute() == whole.compute()


def test_truth_against_itself_is_perfect_and_shifted_by_half_is_not() -> None:
    truth = np.zeros((4, 8), dtype=np.uint32)
    truth[:, :4] = 7
    segments = [TrueSegment(7, 1, 16)]
    metric = PanopticQuality(things=[1], stuff=[])
    assert metric.reduce([match(truth, segments, truth, {7: 1})])["PQ"] == 1.0
    moved = np.roll(truth, 2, axis=1)
    # Overlap 8; union 16 + 16 − 8 − 8 void = 16: an IoU of exactly one half is no match, half void is no excuse.
    assert match(truth, segments, moved, {7: 1}) == (Stat(1, 0.0, 0, 1, 1),)


def test_iou_must_exceed_one_half_strictly() -> None:
    truth = np.array([[5, 5, 6, 6]], dtype=np.uint32)
    predicted = np.array([[5, 0, 6, 6]], dtype=np.uint32)
    segments = [TrueSegment(5, 1, 2), TrueSegment(6, 1, 2)]
    row = match(truth, segments, predicted, {5: 1, 6: 1})
    assert row == (Stat(1, 1.0, 1, 1, 1),)


def test_group_without_categories_is_undefined() -> None:
    metric = PanopticQuality(things=[1], stuff=[91])
    numbers = metric.reduce([(Stat(1, 0.8, 1, 0, 1),)])
    assert numbers["PQ"] == pytest.approx(0.8 / 1.5)
    assert numbers["PQ_st"] is None and numbers["SQ_st"] is None
    assert metric.reduce([])["PQ"] is None


def test_the_same_sample_twice_is_refused() -> None:
    one = Accumulator(PanopticQuality([1], []))
    sample = (np.ones((2, 2), np.uint32), [TrueSegment(1, 1, 4)], np.ones((2, 2), np.uint32), {1: 1})
    one.update("a", *sample)
    with pytest.raises(ValueError, match="twice"):
        one.update("a", *sample)


def test_segments_and_pixels_must_agree() -> None:
    with pytest.raises(ValueError, match=r"without a segment: \[2\]; segments without a pixel: \[3\]"):
        match(np.ones((1, 1), np.uint32), [], np.full((1, 1), 2, np.uint32), {3: 1})


def test_bootstrap_interval_agrees_with_brute_force() -> None:
    random_ = np.random.default_rng(1)
    rows: list[Row] = [(Stat(1, float(random_.uniform(0.5, 1)), 1, int(random_.integers(0, 2)), 0),) for _ in range(40)]
    metric = PanopticQuality(things=[1], stuff=[])
    draws = []
    for _ in range(4000):
        chosen = [rows[number] for number in random_.integers(0, 40, 40)]
        value = metric.reduce(chosen)["PQ"]
        assert value is not None
        draws.append(value)
    low, high = metric.intervals(rows)["PQ"]
    assert low == pytest.approx(np.quantile(draws, 0.025), abs=0.02)
    assert high == pytest.approx(np.quantile(draws, 0.975), abs=0.02)
    assert metric.intervals(rows[:5]) == {}
