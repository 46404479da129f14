"""T2I-CompBench: every picture of the official goldens, truth tables of the places, and the scripts' faults by name."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vismark.metrics.t2i_compbench.combine import routed, three_in_one, vqa_score
from vismark.metrics.t2i_compbench.depth import depth_relation, layered, score_3d
from vismark.metrics.t2i_compbench.numeracy import distinct, score_numeracy
from vismark.metrics.t2i_compbench.objects import Labelled
from vismark.metrics.t2i_compbench.spatial import locality, place, score_2d

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDEN, DATA = SHARED / "golden" / "t2i_compbench", SHARED / "data" / "t2i_compbench"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official golden is not here")


def records(name: str) -> list[Any]:
    with gzip.open(GOLDEN / f"{name}.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def objects(record: Any) -> list[Labelled]:
    return [Labelled(one["label"], tuple(one["box"]), one["score"]) for one in record["detections"]]


def told(name: str, answers: list[float]) -> None:
    """The official mean and number of zeros."""
    summary = json.loads((GOLDEN / "summary.json").read_text())[name]
    assert len(answers) == summary["images"]
    assert np.mean(answers) == pytest.approx(summary["mean"], abs=1e-12)
    assert answers.count(0) == summary.get("zero", answers.count(0))


@needs_golden
def test_2d_spatial_is_official_picture_by_picture() -> None:
    answers = []
    for record in records("spatial_2d"):
        parse = record["parse"]
        assert locality(record["prompt"]) == parse["relation"]
        answers.append(score_2d(objects(record), parse["noun_first"], parse["noun_last"], parse["relation"]))
        assert answers[-1] == pytest.approx(record["answer"], abs=1e-12), record["image"]
    told("spatial_2d", answers)


@needs_golden
def test_3d_spatial_is_official_picture_by_picture() -> None:
    answers = []
    ramp = (np.arange(479, dtype=np.float32) / np.float32(478)) - np.float32(0.5)
    for record in records("spatial_3d"):
        parse, (a, b) = record["parse"], map(np.float32, record["depth"])
        depth = np.clip(np.float32(0.5) + a * ramp[:, None] + b * ramp[None, :], 0, 1)
        relation = depth_relation(record["prompt"])
        answers.append(score_3d(objects(record), parse["noun_first"], parse["noun_last"], relation, depth))
        assert answers[-1] == pytest.approx(record["answer"], abs=1e-12), record["image"]
    told("spatial_3d", answers)


@needs_golden
def test_numeracy_is_official_picture_by_picture() -> None:
    answers = []
    for record in records("numeracy"):
        wanted = [(noun, number) for noun, number in record["parse"]["objects"]]
        answers.append(score_numeracy(objects(record), wanted))
        assert answers[-1] == pytest.approx(record["answer"], abs=1e-12), record["image"]
    told("numeracy", answers)


@needs_golden
def test_three_in_one_is_official_and_prompts_are_routed_58_212_30() -> None:
    with gzip.open(GOLDEN / "three_in_one.json.gz") as file:
        golden = json.load(file)
    prompts, spatials, actions = (
        [line.rstrip("\r\n") for line in (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
        for name in ("complex_val", "complex_val_spatial", "complex_val_action")
    )
    sets: Any = {"spatials": {routed(one) for one in spatials}, "actions": {routed(one) for one in actions}}
    kinds = Counter(
        "spatial" if routed(p) in sets["spatials"] else "action" if routed(p) in sets["actions"] else "both"
        for p in prompts
    )
    assert kinds == {"spatial": 58, "action": 212, "both": 30}
    rows = zip(golden["attribute"], golden["spatial"], golden["clip"], strict=True)
    answers = [three_in_one(prompts[n // 10], float(a), s, c, **sets) for n, (a, s, c) in enumerate(rows)]
    assert answers == golden["answer"]
    told("three_in_one", answers)


CENTRE = (200.0, 200.0, 240.0, 240.0)


def moved(dx: float, dy: float) -> tuple[float, float, float, float]:
    return CENTRE[0] + dx, CENTRE[1] + dy, CENTRE[2] + dx, CENTRE[3] + dy


@pytest.mark.parametrize(
    ("relation", "dx", "dy", "score"),
    [
        ("on the left of", -60, 10, 1.0),
        ("on the left of", 60, 10, 0.0),
        ("on the left of", -60, 60, 0.0),
        ("on the right of", 60, -10, 1.0),
        ("on the top of", 10, -60, 1.0),
        ("on the bottom of", 10, 60, 1.0),
        ("on the bottom of", 10, -60, 0.0),
        # 40 by 40 boxes, 20 apart: they share 20 · 40 of 2400 pixels.
        ("on the left of", -20, 0, 0.1 / (800 / 2400)),
        ("next to", -149, 400, 1.0),
        ("near", -160, 300, 150 / 300),
        ("on side of", 160, 150, 150 / 160),
        (None, -60, 0, 0.0),
    ],
)
def test_places(relation: str | None, dx: float, dy: float, score: float) -> None:
    assert place(relation, moved(dx, dy), CENTRE) == pytest.approx(score)


def test_on_top_of_has_no_rule_officially_and_one_when_repaired() -> None:
    hat = [Labelled("hat", moved(0, -60), 0.9), Labelled("rack", CENTRE, 0.9)]
    assert locality("the hat was on top of the rack") == "on top of"
    # Half for the place is lost, and what is left is under 0.5: nothing.
    assert score_2d(hat, "hat", "rack", "on top of") == 0.0
    assert score_2d(hat, "hat", "rack", "on top of", repaired=True) == pytest.approx(0.95)


def test_labels_have_to_be_the_noun_officially_and_may_be_a_synonym_when_repaired() -> None:
    pair = [Labelled("cattle, cow", moved(-60, 0), 0.9), Labelled("couch", CENTRE, 0.8)]
    assert score_2d(pair, "cow", "sofa", "on the left of") == 0.0
    assert score_2d(pair, "cow", "sofa", "on the left of", repaired=True) == pytest.approx(0.925)


def test_two_persons_are_one_officially_and_two_when_repaired() -> None:
    two = [Labelled("person", CENTRE, 0.9), Labelled("person", moved(-60, 0), 0.9)]
    assert score_2d(two, "boy", "girl", "on the left of") == 0.0
    assert score_2d(two, "boy", "girl", "on the left of", repaired=True) == pytest.approx(0.95)


def test_depth_is_read_with_its_axes_exchanged_officially() -> None:
    depth = np.zeros((100, 100), np.float32)
    depth[:, 50:] = 1.0  # the right half is near
    left, right = (30.0, 10.0, 60.0, 40.0), (40.0, 10.0, 70.0, 40.0)
    assert layered("in front of", right, left, depth, repaired=True) == pytest.approx(min(1.0, (2 / 4) / 0.5), abs=1)
    assert layered("in front of", right, left, depth.T.copy()) == layered(
        "in front of", right, left, depth, repaired=True
    )
    assert layered("behind", right, left, depth, repaired=True) == 0.0
    assert layered("in front of", right, (80.0, 80.0, 99.0, 99.0), depth, repaired=True) == 0.0


def test_numbers_of_renamed_labels_stay_renamed() -> None:
    # "car" renames "carrot" officially.
    food = [Labelled("carrot", CENTRE, 0.9), Labelled("carrot", moved(100, 0), 0.9)]
    assert score_numeracy(food, [("car", 2)]) == 1.0
    assert score_numeracy(food, [("car", 2)], repaired=True) == 0.0
    assert score_numeracy(food, [("car", 2), ("carrot", 2)]) == 0.5 + 0.0
    assert score_numeracy(food, [("carrot", 3)]) == 0.5


def test_doubles_are_dropped_by_either_area() -> None:
    inner = (205.0, 205.0, 235.0, 235.0)
    assert distinct([Labelled("a", CENTRE, 0.9), Labelled("a", inner, 0.8)]) == [0]
    assert distinct([Labelled("a", CENTRE, 0.9), Labelled("b", inner, 0.8)]) == [0, 1]
    assert distinct([Labelled("a", CENTRE, 0.9), Labelled("a", moved(20, 0), 0.8)]) == [0, 1]


@pytest.mark.parametrize(
    ("answers", "score"),
    [
        ([], "1.0000"),
        ([0.5], "0.5000"),
        ([0.12345, 0.5], "0.0617"),
        ([0.9] * 9, f"{0.9**8:.4f}"),
        ([0.00004], "0.0000"),
    ],
)
def test_answers_are_rounded_before_and_after_the_product(answers: list[float], score: str) -> None:
    assert vqa_score(answers) == score
