"""GenEval's decisions: every one of the official golden, the geometry by hand, and where `fixed` departs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from vismark.datasets.geneval.prompts import published
from vismark.formats.geneval import TAGS, Clause, Prompt, object_names
from vismark.metrics.geneval import Found, GenEval, Options, judge, kept, relations, summary, wilson

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "geneval"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official golden is not here")


class Record(msgspec.Struct):
    image: str
    prompt_index: int
    detections: list[Found]


def lines(name: str) -> list[Any]:
    with gzip.open(GOLDEN / name, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [msgspec.convert(line, Record) for line in lines("detections.jsonl.gz")]


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return [msgspec.json.decode(line, type=Prompt) for line in published().splitlines()]


@needs_golden
@pytest.mark.parametrize("variant", ["default", "strict", "lenient"])
def test_every_decision_reason_and_number_is_official(
    variant: str, records: list[Record], prompts: list[Prompt]
) -> None:
    told = json.loads((GOLDEN / "summary.json").read_text())["variants"][variant]
    options = msgspec.convert({key: float(value) for key, value in told["options"].items()}, Options, strict=False)
    metric = GenEval(options)
    rows = [metric.row(prompts[record.prompt_index], record.detections) for record in records]
    expected = lines(f"expected_{variant}.jsonl.gz")
    assert len(rows) == len(expected) == 2212
    assert [(row.correct, "\n".join(row.reasons)) for row in rows] == [(e["correct"], e["reason"]) for e in expected]
    if variant == "default":
        order = object_names()
        for row, e in zip(rows, expected, strict=True):
            details = {name: [[*f.box, f.score] for f in row.kept[name]] for name in order if name in row.kept}
            assert json.dumps(details) == json.dumps(e["details"])
    numbers = metric.reduce(rows)
    assert numbers["overall"] == told["overall"]
    assert {tag: numbers[tag] for tag in TAGS} == {tag: told["tags"][tag]["score"] for tag in TAGS}
    # The official order of tags is that of os.listdir.
    assert sorted(summary(rows).splitlines()) == sorted(told["official_summary_stdout"].splitlines())


def found(category: str, *box: float, score: float = 0.95, color: str | None = None) -> Found:
    return Found(category, (box[0], box[1], box[2], box[3]), float(np.float32(score)), color)


def reasons(prompt: Prompt, *objects: Found, **options: Any) -> list[str]:
    chosen = Options(**options)
    return judge(prompt, kept(objects, chosen, counting=prompt.tag == "counting"), chosen)


@pytest.mark.parametrize(
    ("dx", "dy", "names"),
    [
        (-50, 0, ["left of"]),
        (50, 0, ["right of"]),
        (0, -50, ["above"]),
        (0, 50, ["below"]),
        # Both centres 20 wide: the dead zone is 0.1 · 20 = 2 pixels.
        (2, 2, []),
        (2.01, 0, []),
        (50, 50, ["right of", "below"]),
        (-60, -40, ["left of", "above"]),
    ],
)
def test_relations(dx: float, dy: float, names: list[str]) -> None:
    assert relations((100 + dx, 100 + dy, 110 + dx, 110 + dy), (100, 100, 110, 110)) == names


def test_a_score_on_the_threshold_is_decided_in_float32() -> None:
    cow = Prompt("single_object", (Clause("cow", 1),), prompt="a photo of a cow")
    at, above = np.float32(0.3), np.nextafter(np.float32(0.3), np.float32(1))
    assert reasons(cow, found("cow", 0, 0, 9, 9, score=float(at))) == ["expected cow>=1, found 0"]
    assert reasons(cow, found("cow", 0, 0, 9, 9, score=float(above))) == []


def test_of_equal_scores_the_later_counts_first_and_seventeen_are_sixteen() -> None:
    same = [found("cow", number, 0, 9, 9) for number in range(20)]
    assert [one.box[0] for one in kept(same, Options())["cow"]] == list(range(19, 3, -1))
    three = Prompt("counting", (Clause("cow", 3),), (Clause("cow", 4),), "a photo of three cows")
    assert reasons(three, *same) == ["expected cow<4, found 16"]


def test_the_official_script_looks_at_the_best_object_only_and_fixed_at_all() -> None:
    red = Prompt("colors", (Clause("cow", 1, color="red"),), prompt="a photo of a red cow")
    herd = [found("cow", 0, 0, 9, 9, score=0.9, color="blue"), found("cow", 20, 0, 29, 9, score=0.8, color="red")]
    assert reasons(red, *herd) == ["expected red cow>=1, found 0 red; and 1 blue"]
    assert reasons(red, *herd, any_object=True) == []
    left = Prompt(
        "position", (Clause("cow", 1), Clause("dog", 1, position=("left of", 0))), prompt="a dog left of a cow"
    )
    dogs = [found("cow", 50, 0, 60, 9), found("dog", 90, 0, 99, 9), found("dog", 0, 0, 9, 9, score=0.5)]
    assert reasons(left, *dogs) == ["expected dog left of target, found right of target"]
    assert reasons(left, *dogs, any_object=True) == []
    assert reasons(left, *dogs[:2], any_object=True) == ["expected dog left of target, found right of target"]


def test_a_missing_target_is_said_twice_and_a_missing_subject_once() -> None:
    left = Prompt(
        "position", (Clause("cow", 1), Clause("dog", 1, position=("left of", 0))), prompt="a dog left of a cow"
    )
    assert reasons(left, found("dog", 0, 0, 9, 9)) == ["expected cow>=1, found 0", "no target for dog to be left of"]
    assert reasons(left, found("cow", 0, 0, 9, 9)) == ["expected dog>=1, found 0"]


def test_suppression_counts_pixels_with_both_ends() -> None:
    two = Prompt("counting", (Clause("cow", 2),), (Clause("cow", 3),), "a photo of two cows")
    # Boxes of 9 + 1 by 9 + 1 pixels that share 5 by 10: IoU is 50 / 150.
    pair = [found("cow", 0, 0, 9, 9, score=0.99), found("cow", 5, 0, 14, 9, score=0.98)]
    assert reasons(two, *pair, max_overlap=0.34) == []
    assert reasons(two, *pair, max_overlap=0.33) == ["expected cow>=2, found 1"]


def test_numbers_that_are_not_defined_are_none_and_overall_is_over_what_is_there() -> None:
    metric = GenEval()
    assert set(metric.reduce([]).values()) == {None}
    cow = Prompt("single_object", (Clause("cow", 1),), prompt="a photo of a cow")
    rows = [metric.row(cow, [found("cow", 0, 0, 9, 9)]), metric.row(cow, [])]
    numbers = metric.reduce(rows)
    assert (numbers["overall"], numbers["counting"], numbers["prompts"]) == (0.5, None, 1.0)


def test_wilson_is_that_of_the_book() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_intervals_hold_the_number() -> None:
    metric, rows = GenEval(), []
    for number in range(40):
        prompt = Prompt("single_object", (Clause("cow", 1),), prompt=f"cow {number}")
        rows += [metric.row(prompt, [found("cow", 0, 0, 9, 9)] * (number % 2))] * 4
    spans = metric.intervals(rows)
    assert spans["single_object"] == pytest.approx(wilson(0.5, 40))
    # The bootstrap over 40 independent prompts: standard error sqrt(.25 / 40) = 0.079.
    low, high = spans["overall"]
    assert high - low == pytest.approx(2 * 1.96 * 0.079, rel=0.15)
