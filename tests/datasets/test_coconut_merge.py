"""The Objects365 parts become COCO files: every id by the rule, every PNG byte for byte, faults told; val is joined."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import annotation_builder as build
from annotation_builder import Content, rows, table
from vismark.datasets.coconut.convert import panoptic_to_instances, tables_to_panoptic
from vismark.datasets.coconut.merge import extra_large_to_panoptic, id_of, join_validation, large_to_panoptic
from vismark.jobs.derive import derive
from vismark.jobs.validate import validate
from vismark.problems import Missing, Problems, Refused

NAMES = ("objects365_v2_00000042", "objects365_v2_01234567")


def foreign(folder: Path) -> Content:
    """The Objects365 part: names in different fields, as the releases have them; PNGs one folder down."""
    content, maps = build.panoptic()
    (folder / "coconut_val" / "deep").mkdir(parents=True)
    for name, ids in zip(NAMES, maps.values(), strict=True):
        (folder / "coconut_val" / "deep" / f"{name}.png").write_bytes(build.id_png(ids))
    first, second = content["annotations"]
    first["object365_file_name"], second["file_name"] = f"{NAMES[0]}.jpg", f"{NAMES[1]}.png"
    for number, one in enumerate(content["images"]):
        one["id"] = content["annotations"][number]["image_id"] = number  # ids of the release mean nothing
    del content["images"][1]["height"]
    return {"images": content["images"], "annotations": [second, first]}


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A data root's `coconut` with both parts."""
    folder = tmp_path / "coconut"
    (folder / "hub" / "relabeled_coco_val").mkdir(parents=True)
    table(folder / "hub" / "relabeled_coco_val", rows())
    (folder / "coconut_val.json").write_text(json.dumps(foreign(folder)))
    return folder


def join(folder: Path, target: str = "joined.json") -> Problems:
    relabelled = folder / "relabeled_coco_val.json"
    if not relabelled.exists():
        tables_to_panoptic(folder / "hub" / "relabeled_coco_val", relabelled)
    return join_validation(folder / "coconut_val.json", folder / "coconut_val", relabelled, folder / target)


def test_both_parts_in_one_file_by_the_rule_of_ids(parts: Path) -> None:
    assert len(join(parts)) == 0
    made: dict[str, Any] = json.loads((parts / "joined.json").read_bytes())
    assert [one["id"] for one in made["images"]] == [42, 73, 1_000_000_042, 1_001_234_567]
    assert [one["image_id"] for one in made["annotations"]] == [42, 73, 1_000_000_042, 1_001_234_567]
    assert [one["file_name"] for one in made["images"][2:]] == [f"{name}.jpg" for name in NAMES]
    assert [(one["height"], one["width"]) for one in made["images"]] == [(build.HEIGHT, build.WIDTH)] * 4
    assert len(made["categories"]) == 133
    for folder in (parts / "relabeled_coco_val", parts / "coconut_val" / "deep"):
        for png in folder.iterdir():
            assert (parts / "joined" / png.name).read_bytes() == png.read_bytes()
    assert validate(parts / "joined.json").errors == 0


def test_the_joined_set_is_a_panoptic_file_like_any_other(parts: Path) -> None:
    join(parts)
    assert len(panoptic_to_instances(parts / "joined.json", parts / "instances.json")) == 0
    made = json.loads((parts / "instances.json").read_bytes())
    assert {one["image_id"] for one in made["annotations"]} == {42, 73, *map(id_of, NAMES)}


def test_every_fault_of_the_foreign_part_is_told_and_left_out(parts: Path) -> None:
    content = foreign(parts / "other")
    good, second = content["annotations"]
    nameless = {**good, "file_name": "000000000001.png"}
    content["annotations"] = [good, dict(good), nameless, {**second, "segments_info": None}]
    content["annotations"].append({**good, "file_name": "objects365_v2_00000009.png"})
    (parts / "coconut_val.json").write_text(json.dumps(content))
    problems = join(parts)
    assert [(one.code, one.where) for one in problems] == [("ROW_LEFT_OUT", f"/annotations/{n}") for n in (1, 2, 3, 4)]
    build.assert_complete(problems)
    assert [one["image_id"] for one in json.loads((parts / "joined.json").read_bytes())["annotations"]][2:] == [
        id_of(NAMES[1])
    ]


@pytest.mark.parametrize("text", ["[]", '{"annotations": 3}', "{"])
def test_what_is_no_panoptic_file_is_refused(parts: Path, text: str) -> None:
    (parts / "coconut_val.json").write_text(text)
    with pytest.raises(Refused):
        join(parts)
    assert not (parts / "joined.json").exists()


def test_a_second_run_and_another_disk(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    join(parts)
    first = sorted((parts / "joined").iterdir())[0]
    assert first.stat().st_nlink == 2, "on one disk nothing is stored twice"

    def refuse_link(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse_link)
    assert len(join(parts, "copied.json")) == 0
    assert (parts / "joined.json").read_bytes() == (parts / "copied.json").read_bytes()
    assert sorted(one.name for one in (parts / "copied").iterdir()) == sorted(
        one.name for one in (parts / "joined").iterdir()
    )


def test_prepare_makes_it_with_all_it_is_made_from(parts: Path) -> None:
    derive("coconut", parts.parent, split="val")
    assert len(json.loads((parts / "coconut_val_joined.json").read_bytes())["annotations"]) == 4
    assert (parts / "coconut_val_joined_instances.json").is_file()


def test_prepare_of_a_whole_data_set_makes_what_it_can(parts: Path) -> None:
    shutil.rmtree(parts / "coconut_val")
    said: list[str] = []
    derive("coconut", parts.parent, tell=said.append)
    assert (parts / "relabeled_coco_val_instances.json").is_file()
    assert any("joined.json is made from coconut/coconut_val, which is not there; left out" in line for line in said)
    with pytest.raises(Missing, match="coconut/coconut_val, which is not there"):
        derive("coconut", parts.parent, split="val")


def large(folder: Path) -> Path:
    """L as released: one JSON without categories, PNGs in a folder beside it."""
    content, maps = build.panoptic()
    release = folder / "coconut_large"
    (release / "panoptic_object365").mkdir(parents=True)
    for name, ids in zip(NAMES, maps.values(), strict=True):
        (release / "panoptic_object365" / f"{name}.png").write_bytes(build.id_png(ids))
    for name, one in zip(NAMES, content["annotations"], strict=True):
        one["file_name"] = f"{name}.png"
    del content["categories"], content["images"]
    (release / "panseg_object365_train_v2.json").write_text(json.dumps(content))
    return release


def extra_large(folder: Path) -> Path:
    """XL as released: grey PNGs, a list of segments a file, no image records; and its faults."""
    release = folder / "coconut_xlarge"
    for name in ("panseg", "panseg_info"):
        (release / "coconuts_xlarge" / name).mkdir(parents=True)
    ids = np.zeros((build.HEIGHT, build.WIDTH), np.uint8)
    ids[:10], ids[10:20] = 1, 2
    segments = [{"id": 1, "category_id": 193, "area": 600}, {"id": 2, "category_id": 0, "area": 600}]
    lists = {NAMES[0]: segments, "objects365_v2_00000099": segments, "objects365_v2_00000100": {"a": 1}, "other": []}
    for name, listed in lists.items():
        (release / "coconuts_xlarge" / "panseg" / f"{name}.png").write_bytes(build.png(ids))
        (release / "coconuts_xlarge" / "panseg_info" / f"{name}.json").write_text(json.dumps(listed))
    return release


def test_l_and_what_xl_has_beyond_it(tmp_path: Path) -> None:
    assert len(large_to_panoptic(large(tmp_path), tmp_path / "l.json")) == 0
    made = json.loads((tmp_path / "l.json").read_bytes())
    assert [one["id"] for one in made["images"]] == [one["image_id"] for one in made["annotations"]]
    assert [one["id"] for one in made["images"]] == [id_of(name) for name in NAMES]
    assert {(one["height"], one["width"]) for one in made["images"]} == {(build.HEIGHT, build.WIDTH)}
    assert validate(tmp_path / "l.json").errors == 0
    problems = extra_large_to_panoptic(extra_large(tmp_path), tmp_path / "l.json", tmp_path / "xl.json")
    assert [(one.code, one.where) for one in problems] == [
        ("ROW_LEFT_OUT", "objects365_v2_00000100.json"),
        ("ROW_LEFT_OUT", "other.json"),
    ]
    made = json.loads((tmp_path / "xl.json").read_bytes())
    assert [one["image_id"] for one in made["annotations"]] == [1_000_000_099], "an image of L comes once"
    assert [one["category_id"] for one in made["annotations"][0]["segments_info"]] == [193]
    assert [path.name for path in (tmp_path / "xl").iterdir()] == ["objects365_v2_00000099.png"]
    assert validate(tmp_path / "xl.json").errors == 0


def test_folders_that_are_no_release_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="RELEASE_FORMAT"):
        large_to_panoptic(tmp_path / "empty", tmp_path / "l.json")
    with pytest.raises(Refused, match="RELEASE_FORMAT"):
        extra_large_to_panoptic(tmp_path / "empty", tmp_path / "l.json", tmp_path / "xl.json")
