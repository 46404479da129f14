"""SPICE around its Java program: what it is given, how its answer is read, what is missing. The program itself needs
CoreNLP 3.6.0, which no package holds: its own test is skipped without it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vismark import registry
from vismark.formats.spice import SpiceScore, read_scores
from vismark.instruments import java_program, spice
from vismark.instruments.base import Tools
from vismark.metrics.captions.spice import Spice
from vismark.problems import Missing, Refused

ARCHIVES = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
ITEMS = [("a man", ["a person"]), ("two dogs", ["dogs", "a cat"])]

# Stands for Java: answers in another order than it was asked, as the program does.
JAVA = """#!/usr/bin/env python3
import json, sys
if sys.argv[1] == "-version":
    sys.exit(print('openjdk version "1.8.0_392"', file=sys.stderr))
asked = json.load(open("input.txt"))
told = [{"image_id": one["image_id"], "scores": {"All": {"f": len(one["refs"]) / 4}, "Object": {"f": None}}}
        for one in reversed(asked)]
json.dump(told, open(sys.argv[sys.argv.index("-out") + 1], "w"))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """CoreNLP's archives, empty, and a program that stands for Java."""
    for name in ARCHIVES:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "java"
    fake.write_text(JAVA)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    java_program.java_version.cache_clear()
    yield tmp_path
    java_program.java_version.cache_clear()


def instrument(folder: Path) -> spice.Spice:
    return spice.Spice(registry.card("instruments", "spice"), Tools(weights={"spice": folder}))


def test_scores_come_back_in_the_order_of_the_items(folder: Path) -> None:
    found = instrument(folder).measure(ITEMS)
    assert found == [SpiceScore(0.25, {"Object": None}), SpiceScore(0.5, {"Object": None})]


def test_the_identity_names_archives_and_java(folder: Path) -> None:
    identity = instrument(folder).identity
    assert identity["java"] == "8"
    assert set(ARCHIVES) < set(identity)


def test_a_newer_java_is_refused_before_any_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spice, "java_version", lambda: 17)
    with pytest.raises(Missing, match="Java 8 to 14, this is Java 17"):
        instrument(folder)


def test_missing_archives_are_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"stanford-corenlp-3\.6\.0-models\.jar"):
        instrument(tmp_path)


def test_missing_java_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(Missing, match="apt install default-jre-headless"):
        instrument(folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", json.dumps([{"image_id": 0, "scores": {"All": {"f": 1.0}}}] * 2), '[{"image_id": 0, "scores": {}}]'],
)
def test_an_answer_that_is_not_one_for_each_item_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="SPICE"):
        read_scores(text, 1)


def test_a_failing_program_is_told_in_a_line(folder: Path) -> None:
    (folder / "bin" / "java").write_text(
        "#!/bin/sh\n[ $1 = -version ] && exit 0\necho 'Exception in thread main Boom' >&2\nexit 1\n"
    )
    with pytest.raises(Refused, match="the Java program failed: Exception in thread main Boom"):
        instrument(folder).measure(ITEMS)


def test_official_and_repaired_mean() -> None:
    metric = Spice()
    rows = [metric.row(SpiceScore(0.5, {})), metric.row(SpiceScore(None, {}))]
    assert metric.reduce(rows) == {"SPICE": None, "SPICE-defined": 0.5}
    assert metric.reduce(rows[:1]) == {"SPICE": 0.5, "SPICE-defined": 0.5}
    assert metric.reduce([]) == {"SPICE": None, "SPICE-defined": None}


def test_the_program_itself() -> None:
    given = os.environ.get("VISMARK_SPICE_LIBRARIES")
    if not given:
        pytest.skip("CoreNLP 3.6.0 is not there: name the folder of its two archives in VISMARK_SPICE_LIBRARIES")
    found = instrument(Path(given)).measure([("a black cat", ["a black cat"]), ("a black cat", ["two dogs run"])])
    assert [one.f for one in found] == [1.0, 0.0]
