"""Random damage to valid detections: nothing crashes or is dropped in silence, and other images keep their numbers."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vismark
from damage import change, damage, edits
from detection_builder import official, results, truth, write
from vismark.jobs.prepare import Options, prepare
from vismark.jobs.score import compute
from vismark.problems import Problems, Refused

TRUTH = truth(4, images=4, objects=3)


@dataclass
class Folder:
    """The files, which each example damages anew, and the sound entries."""

    gt: Path
    file: Path
    entries: list[Any]


@pytest.fixture(scope="module", params=["boxes", "masks"])
def folder(request: pytest.FixtureRequest) -> Iterator[tuple[str, Folder]]:
    with tempfile.TemporaryDirectory() as name:
        entries = results(TRUTH, 4, masks=request.param == "masks", each=2)
        yield request.param, Folder(*write(Path(name), TRUTH, entries), entries)


def opened(folder: Folder, protocol: str, mode: Any) -> tuple[Any, Problems]:
    prepared, problems = prepare("coco-detection", folder.file, Options(folder.gt, protocol=protocol, mode=mode))
    for one in problems:
        assert one.code and one.message
        assert all(c.isprintable() for c in f"{one}{one.value}"), one
    return prepared and prepared.opened.submission, problems


@settings(max_examples=120, deadline=None)
@given(data=st.data(), mode=st.sampled_from(["strict", "official"]))
def test_what_is_accepted_has_the_official_number(folder: tuple[str, Folder], data: st.DataObject, mode: Any) -> None:
    protocol, files = folder
    content = copy.deepcopy(files.entries)
    change(data, content)
    files.file.write_text(json.dumps(content))
    submission, problems = opened(files, protocol, mode)
    if problems.errors or submission is None:
        assert problems.errors
        return
    if mode == "strict":
        assert len(submission.found) == len(content)
    try:
        ours = vismark.score("coco-detection", files.file, references=files.gt, protocol=protocol, mode=mode).metrics
    except Refused as refused:
        assert "SUB_OFFICIAL_REFUSED" in refused.problems
        with pytest.raises((IndexError, AssertionError, KeyError, TypeError, ValueError, AttributeError)):
            official(TRUTH, content, protocol)
        return
    plain = [{k: v for k, v in one.items() if k != "bbox"} for one in content] if protocol == "masks" else content
    assert ours == official(TRUTH, plain if mode == "strict" else content, protocol)


@settings(max_examples=150, deadline=None)
@given(changes=edits, mode=st.sampled_from(["strict", "official"]))
def test_bytes(folder: tuple[str, Folder], changes: list[tuple[float, int, bytes]], mode: Any) -> None:
    protocol, files = folder
    files.file.write_bytes(damage(json.dumps(files.entries).encode(), changes))
    submission, problems = opened(files, protocol, mode)
    if mode == "strict" and submission is not None and not problems.errors:
        assert len(submission.found) == len(json.loads(files.file.read_bytes()))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_image_leaves_the_others_alone(folder: tuple[str, Folder], data: st.DataObject) -> None:
    protocol, files = folder
    content = copy.deepcopy(files.entries)
    entry = next(one for one in content if one["image_id"] == 7)
    change(data, entry)
    before = others(files, protocol, files.entries)
    after = others(files, protocol, content)
    # A detection that has moved to another image counts there.
    assert after is None or entry["image_id"] != 7 or after == before


def others(files: Folder, protocol: str, content: Any) -> list[tuple[Any, ...]] | None:
    """The rows of all images but the first; None when the submission is refused."""
    files.file.write_text(json.dumps(content))
    try:
        _, columns = compute("coco-detection", files.file, Options(files.gt, protocol=protocol))
    except Refused:
        return None
    return [row for row in zip(*columns.values(), strict=True) if row[0] != "7"]
