"""Random damage to a valid submission: `check` lists problems and never raises, and other images keep their numbers."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vismark
from damage import change, damage, edits, json_values, places
from panoptic_builder import Case, build
from vismark.benchmarks.panoptic_match import Matched
from vismark.jobs.prepare import Options, prepare
from vismark.jobs.prepare import measured as measure
from vismark.problems import Problems

UNTOUCHED = ("000000000285", "000000000632")


@pytest.fixture(scope="module")
def case() -> Iterator[Case]:
    """One valid case for all examples of a test; each example damages it and mends it again."""
    with tempfile.TemporaryDirectory() as folder:
        yield build(Path(folder)).save()


def measured(case: Case, mode: str) -> tuple[dict[str, Matched], Problems]:
    """The evidence of every image that could be matched, and all findings."""
    prepared, problems = prepare("coco-panoptic", case.submission, Options(case.references, mode=mode))
    if prepared:
        measure(prepared, problems, 1, keep=False)
    records = prepared.evidence["panoptic-match"] if prepared else []
    return {one.id: one for one in records}, problems


def examine(case: Case, mode: str) -> dict[str, Matched]:
    found, problems = measured(case, mode)
    for one in problems:
        assert one.code and one.message
        assert all(c.isprintable() for c in f"{one}{one.value}"), one
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data(), mode=st.sampled_from(["strict", "official"]))
def test_json_with_values_replaced_removed_or_doubled(case: Case, data: st.DataObject, mode: str) -> None:
    content = copy.deepcopy(case.prediction)
    for _ in range(data.draw(st.integers(1, 3))):
        if places(content):
            change(data, content)
    case.submission.write_text(json.dumps(content))
    try:
        examine(case, mode)
    finally:
        case.submission.write_text(json.dumps(case.prediction))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), mode=st.sampled_from(["strict", "official"]))
def test_json_of_one_image_leaves_the_others_alone(case: Case, data: st.DataObject, mode: str) -> None:
    clean = examine(case, mode)
    content = copy.deepcopy(case.prediction)
    *way, last = data.draw(st.sampled_from(places(content["annotations"][0])))
    parent = content["annotations"][0]
    for key in way:
        parent = parent[key]
    parent[last] = data.draw(json_values)
    case.submission.write_text(json.dumps(content))
    try:
        found = examine(case, mode)
    finally:
        case.submission.write_text(json.dumps(case.prediction))
    if found and content["annotations"][0].get("image_id") not in (285, 632):  # then it takes their place
        assert {id: found[id].stats for id in UNTOUCHED} == {id: clean[id].stats for id in UNTOUCHED}


@settings(max_examples=150, deadline=None)
@given(changes=edits, mode=st.sampled_from(["strict", "official"]))
def test_bytes_of_the_json(case: Case, changes: list[tuple[float, int, bytes]], mode: str) -> None:
    good = case.submission.read_bytes()
    case.submission.write_bytes(damage(good, changes))
    try:
        examine(case, mode)
    finally:
        case.submission.write_bytes(good)


@settings(max_examples=250, deadline=None)
@given(changes=edits, mode=st.sampled_from(["strict", "official"]), whole=st.booleans())
def test_bytes_of_one_png_leave_the_other_images_alone(
    case: Case, changes: list[tuple[float, int, bytes]], mode: str, whole: bool
) -> None:
    good = case.png.read_bytes()
    clean = examine(case, mode)
    # The signature kept, the damage reaches the chunks and the decoders.
    case.png.write_bytes(damage(good, changes) if whole else good[:8] + damage(good[8:], changes))
    try:
        found = examine(case, mode)
    finally:
        case.png.write_bytes(good)
    assert {id: found[id].stats for id in UNTOUCHED} == {id: clean[id].stats for id in UNTOUCHED}


def test_a_refused_image_is_never_scored_in_part(tmp_path: Path) -> None:
    """Two sound images beside a broken one give no number: the whole submission is refused."""
    case = build(tmp_path).save()
    case.png.write_bytes(b"broken")
    with pytest.raises(vismark.problems.Refused):
        vismark.score("coco-panoptic", case.submission, references=case.references, partial=True)
