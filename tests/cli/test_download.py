"""`vismark download` as it is typed: what is said before anything starts, and how it ends when nothing can be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from running import run


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))


def test_sizes_room_and_what_was_never_released_are_said_once() -> None:
    ran = run("vismark download coco-panoptic --root data --dry-run")
    assert ran.code == 3
    assert "860,725,834 bytes in 1 file; " in ran.output and "bytes are free there" in ran.output
    assert ran.output.count("never released") == 1
    assert not Path("data").exists()


def test_json_is_json() -> None:
    ran = run("vismark download coco --split val2017 --images --root data --dry-run --json")
    told = json.loads(ran.output[ran.output.index("{") : ran.output.rindex("}") + 1])
    assert [item["state"] for item in told["items"]] == ["to fetch"] * 4


def test_a_mirror_that_lacks_the_file() -> None:
    Path("mirror").mkdir()
    ran = run("vismark download coco-panoptic --root data --mirror mirror")
    assert ran.code == 1 and "FETCH_MIRROR" in ran.output and "--bundle" in ran.output
    assert ran.output.count("never released") == 1


def test_the_hub_while_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    ran = run("vismark download coconut-panoptic --root data")
    assert ran.code == 3 and "HF_HUB_OFFLINE" in ran.output and "--mirror" in ran.output


def test_a_bundle_comes_from_the_sources() -> None:
    ran = run("vismark download coco-panoptic --bundle kit --mirror other")
    assert ran.code == 2 and "--bundle collects from the sources" in ran.output
