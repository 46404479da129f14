"""Random damage to annotations and predictions of ViCaS ends in findings, never in a traceback, a hang or a crash."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_fuzz_annotations import ODD, PIECES, places

import vismark
from vicas_builder import Pair, pair
from vismark.problems import Refused

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KINDS = st.sampled_from(["truth", "found"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("fuzz"))


def examine(one: Pair) -> None:
    """Whatever is said has a code, a place and a remedy; what is not refused can be scored."""
    for mode in ("strict", "official"):
        options: Any = {"references": one.references, "mode": mode}
        for benchmark in ("vicas-lgvis", "vicas-caption"):
            try:
                problems = vismark.check(benchmark, one.predictions, **options)
            except Refused as refused:
                problems = refused.problems
            for problem in problems:
                assert problem.code and problem.message and problem.fix and problem.file, str(problem)
            if not problems.errors and benchmark == "vicas-lgvis":
                vismark.score(benchmark, one.predictions, protocol="rvos", **options)
    for problem in vismark.validate(one.folder / "annotations"):
        assert problem.code and problem.message and problem.fix


@pytest.mark.timeout(300)
@SETTINGS
@given(kind=KINDS, data=st.data())
def test_a_value_is_another(sound: Pair, tmp_path: Path, kind: str, data: st.DataObject) -> None:
    one = Pair(tmp_path, copy.deepcopy(sound.truth), copy.deepcopy(sound.found))
    for _ in range(data.draw(st.integers(1, 3))):
        content: Any = getattr(one, kind)
        *way, last = data.draw(st.sampled_from(places(content)))
        for key in way:
            content = content[key]
        if data.draw(st.booleans()):
            content[last] = copy.deepcopy(data.draw(ODD))
        else:
            del content[last]
    one.write()
    examine(one)


@pytest.mark.timeout(300)
@settings(SETTINGS, max_examples=60)
@given(kind=KINDS, place=st.floats(0, 1), piece=st.sampled_from(PIECES))
def test_bytes_are_damaged(sound: Pair, tmp_path: Path, kind: str, place: float, piece: bytes) -> None:
    one = Pair(tmp_path, sound.truth, sound.found).write()
    file = tmp_path / {"truth": "annotations", "found": "predictions"}[kind] / "000007.json"
    whole = json.dumps(getattr(sound, kind)).encode()
    at = int(place * len(whole))
    file.write_bytes(whole[:at] + piece + whole[at:])
    examine(one)
    file.write_bytes(whole[:at])
    examine(one)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "split", ["[]", "{}", "[1.5]", "[-1]", "[7, 7]", '["7"]', "[true]", f"[{10**400}]", "", "[[[["]
)
def test_split_files(sound: Pair, tmp_path: Path, split: str) -> None:
    one = Pair(tmp_path, sound.truth, sound.found).write()
    (tmp_path / "val.json").write_text(split)
    with pytest.raises(Refused) as refused:
        vismark.check("vicas-lgvis", one.predictions, references=one.references)
    assert refused.value.problems.errors


def test_a_key_twice_is_refused_as_readers_disagree(sound: Pair, tmp_path: Path) -> None:
    one = Pair(tmp_path, sound.truth, sound.found).write()
    file = one.predictions / "000007.json"
    file.write_text(file.read_text().replace('{"video_id": 7', '{"video_id": 7, "video_id": 7', 1))
    assert "JSON_DUPLICATE_KEY" in vismark.check("vicas-lgvis", one.predictions, references=one.references)
    official = vismark.check("vicas-lgvis", one.predictions, references=one.references, mode="official")
    assert not official.errors
