"""Random damage to a sound annotation file ends in findings, never in a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import annotation_builder as build
from vismark.jobs.validate import validate

KINDS = ("instances", "captions", "panoptic", "karpathy", "keypoints", "stuff", "images", "coconut")
SOURCES: dict[str, Any] = {
    "instances": build.instances(),
    "captions": build.captions(),
    "panoptic": build.panoptic()[0],
    "karpathy": build.karpathy(),
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**53, 2**63, 2**64, 10**400, -1, 1e300, 0.5, -0.0, 1.0]),
    st.text(max_size=6),
    st.sampled_from([[], {}, [[]], [None], [[1, 2]], [{}], [1, 2, 3, 4]]),
    st.sampled_from([{"size": [1, 1], "counts": [1]}, {"size": [40, 60], "counts": "0"}, {"counts": "0"}]),
)
SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [one for key, item in inner for one in [(*at, key), *places(item, (*at, key))]]


# What breaks parsers.
PIECES = [b"[", b"{", b'"', b"NaN", b"1e999", b"\xff", b"\\", b"9" * 5000, b'"id":', b"\\ud800"]

PLACES = {name: places(content) for name, content in SOURCES.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the PNGs of the panoptic file."""
    path = tmp_path_factory.mktemp("fuzz")
    build.write_panoptic(path, *build.panoptic())
    return path


def examine(path: Path, kind: str | None) -> None:
    problems = validate(path, kind=kind, jobs=1)
    for one in problems:
        assert one.code and one.message and one.fix and one.file


@SETTINGS
@given(st.data())
def test_values(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SOURCES)))
    content = copy.deepcopy(SOURCES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(PLACES[name]))
        try:
            target = content
            for key in path[:-1]:
                target = target[key]
            if data.draw(st.booleans()):
                target[path[-1]] = copy.deepcopy(data.draw(ODD))
            else:
                del target[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed the place
    kind = data.draw(st.sampled_from([None, name, *KINDS]))
    examine(build.write(folder, content), kind)


@SETTINGS
@given(st.data())
def test_bytes(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SOURCES)))
    text = bytearray(json.dumps(SOURCES[name]).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        change = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if change == "set":
            text[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
        elif change == "cut":
            del text[at : at + data.draw(st.integers(1, 40))]
        elif change == "insert":
            text[at:at] = data.draw(st.sampled_from(PIECES))
        else:
            text[at:at] = text[at : at + data.draw(st.integers(1, 200))]
    examine(build.write(folder, bytes(text)), data.draw(st.sampled_from([None, name])))


@SETTINGS
@given(st.data())
def test_masks(folder: Path, data: st.DataObject) -> None:
    """Damage to a PNG of a panoptic file."""
    path = build.write(folder, SOURCES["panoptic"])
    mask = folder / "file" / "000000000042.png"
    sound = mask.read_bytes()
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    try:
        mask.write_bytes(bytes(damaged))
        examine(path, "panoptic")
    finally:
        mask.write_bytes(sound)
