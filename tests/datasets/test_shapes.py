"""The miniature: what its files state is true of its pictures, and they are the same everywhere."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from vismark import registry
from vismark.datasets.shapes import write as module
from vismark.datasets.shapes.captions import NUMBERS, captions
from vismark.datasets.shapes.drawing import paint
from vismark.datasets.shapes.scenes import CATEGORIES, SMALLEST, STUFF, VERSION, Part, scene
from vismark.datasets.shapes.write import ensure, write
from vismark.problems import Usage

IMAGES = 16  # one turn of the special rules

# sha256 of the bytes of ids (little-endian uint32) and pixels; they change only together with VERSION.
STORED = {
    (0, 0, (128, 128)): "ef3fbd56cb8e4b74d8642e1657861aa46be6b1fdd9c217d05ae2b1d64402cc2d",
    (0, 2, (128, 128)): "3337a51d0f046a457d0b1218895eb04d3ffd0845492ca8fb827a941fcc3f21b9",
    (0, 5, (128, 128)): "b8a14037a1f8cde2e247716998ea4b11c1729d21b507d677a138bdc7fce92852",
    (7, 1_000_009, (96, 144)): "96d351017be3e75a1b745fd4e603abcf1ce96a60f636a8da48325c2244737f82",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes") / "set"
    write(path, images=IMAGES, seed=0)
    return path


def load(folder: Path, kind: str) -> dict:
    return json.loads((folder / "annotations" / f"{kind}_val.json").read_bytes())


def png_ids(folder: Path, name: str) -> np.ndarray:
    """The official formula, on the file."""
    pixels = np.array(Image.open(folder / "annotations" / "panoptic_val" / name)).astype(np.int64)
    return pixels[:, :, 0] + 256 * pixels[:, :, 1] + 65536 * pixels[:, :, 2]


def digest(seed: int, index: int, size: tuple[int, int]) -> str:
    drawn = scene(seed, index, size)
    return hashlib.sha256(drawn.ids.astype("<u4").tobytes() + drawn.pixels.tobytes()).hexdigest()


def cosine(degrees: float) -> float:
    return math.cos(math.radians(degrees))


# Scenes


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 10**6), st.sampled_from([(128, 128), (96, 144), (144, 96), (32, 32)]))
def test_parts_partition_the_picture(seed: int, index: int, size: tuple[int, int]) -> None:
    drawn = scene(seed, index, size)
    assert drawn.pixels.shape == (*size, 3) and drawn.pixels.dtype == np.uint8
    assert drawn.ids.shape == size and drawn.ids.dtype == np.uint32
    covered = sum((drawn.mask(part).astype(int) for part in drawn.parts), start=np.zeros(size, dtype=int))
    assert np.array_equal(covered, (drawn.ids != 0).astype(int))
    assert len({part.id for part in drawn.parts}) == len(drawn.parts)
    for part in drawn.parts:
        assert 1 <= part.id < 2**24
        assert part.area == drawn.mask(part).sum() >= SMALLEST
    stuff = [part.category for part in drawn.parts if part.category in STUFF]
    assert len(stuff) == len(set(stuff)) <= 3


@pytest.mark.parametrize("key", STORED)
def test_scenes_are_the_stored_ones(key: tuple[int, int, tuple[int, int]]) -> None:
    assert digest(*key) == STORED[key]


def test_scenes_differ_by_seed_and_index() -> None:
    size = (64, 64)
    assert len({digest(seed, index, size) for seed in range(4) for index in range(8)}) == 32


def test_index_decides_what_is_special() -> None:
    for index in range(64):
        drawn = scene(11, index)
        edges = np.concatenate([drawn.ids[0], drawn.ids[-1], drawn.ids[:, 0], drawn.ids[:, -1]])
        void = index % 4 == 1
        assert (drawn.ids == 0).any() == void
        assert (edges == 0).all() == (index % 8 == 1)
        assert (sum(part.iscrowd for part in drawn.things) == 1) == (index % 4 == 2)
        assert bool(drawn.things) == (index % 16 != 7)


def test_every_category_occurs_in_the_default_set() -> None:
    assert {part.category for index in range(60) for part in scene(0, index).parts} == set(CATEGORIES)


def test_ids_use_all_three_channels() -> None:
    ids = [part.id for index in range(8) for part in scene(0, index).parts]
    for shift in (0, 8, 16):
        assert len({number >> shift & 255 for number in ids}) > len(ids) // 2


def test_a_small_size_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        scene(0, 0, (31, 128))


@pytest.mark.parametrize(
    ("kind", "area"),
    [
        ("circle", math.pi * 0.92**2),
        ("square", 1.6**2),
        ("triangle", 3 * math.sqrt(3) * 0.54**2),
        ("ring", math.pi * (0.95**2 - 0.5**2)),
        ("cross", 2 * (1.9 * 0.66) - 0.66**2),
        # Ten triangles between the middle, an outer corner and an inner corner; all lines are 0.35 from the middle.
        ("star", 5 * (0.35 / cosine(72)) * (0.35 / cosine(36)) * math.sqrt(1 - cosine(36) ** 2)),
    ],
)
def test_outlines_have_the_area_of_the_formula(kind: str, area: float) -> None:
    step = 0.005
    axis = np.arange(-1.3, 1.3, step) + step / 2
    mask, _ = paint(kind, "red", axis[None, :], axis[:, None])
    assert mask.sum() * step * step == pytest.approx(area, rel=0.01)


# Files


def test_panoptic_json_equals_a_count_of_the_png(folder: Path) -> None:
    document = load(folder, "panoptic")
    assert len(document["annotations"]) == IMAGES
    for annotation in document["annotations"]:
        ids = png_ids(folder, annotation["file_name"])
        assert set(np.unique(ids)) - {0} == {segment["id"] for segment in annotation["segments_info"]}
        for segment in annotation["segments_info"]:
            rows, columns = np.nonzero(ids == segment["id"])
            box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
            assert segment["area"] == len(rows)
            assert segment["bbox"] == box


def test_instances_decode_to_the_panoptic_masks(folder: Path) -> None:
    coco = COCO(folder / "annotations" / "instances_val.json")
    seen = 0
    for annotation in load(folder, "panoptic")["annotations"]:
        ids = png_ids(folder, annotation["file_name"])
        things = [segment for segment in annotation["segments_info"] if segment["category_id"] <= 8]
        instances = coco.loadAnns(coco.getAnnIds(imgIds=annotation["image_id"]))
        for segment, instance in zip(things, instances, strict=True):
            mask = coco.annToMask(instance)
            assert np.array_equal(mask, ids == segment["id"])
            assert instance["category_id"] == segment["category_id"]
            assert instance["iscrowd"] == segment["iscrowd"]
            assert instance["area"] == mask.sum()
            assert instance["bbox"] == list(rle.toBbox(rle.encode(np.asfortranarray(mask))))
            assert isinstance(instance["segmentation"]["counts"], list if instance["iscrowd"] else str)
            seen += 1
    assert seen == len(coco.anns) > IMAGES


def test_pictures_show_the_scenes(folder: Path) -> None:
    for entry in load(folder, "instances")["images"]:
        picture = np.array(Image.open(folder / "val" / entry["file_name"]))
        drawn = scene(0, entry["id"] - 1)
        assert picture.shape == (entry["height"], entry["width"], 3)
        # JPEG moves values by about 4 on average; another scene is 25 away or more (measured).
        assert np.abs(picture.astype(int) - drawn.pixels).mean() < 6


def test_the_files_have_the_fields_of_coco(folder: Path) -> None:
    fields = {
        "instances": {"id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd"},
        "captions": {"id", "image_id", "caption"},
        "panoptic": {"image_id", "file_name", "segments_info"},
    }
    image = {"id", "file_name", "width", "height", "license", "coco_url", "flickr_url", "date_captured"}
    for kind, wanted in fields.items():
        document = load(folder, kind)
        assert document["info"].keys() >= {"year", "version", "description", "contributor", "url", "date_created"}
        assert document["info"]["version"] == str(VERSION)
        assert all(entry.keys() == {"id", "name", "url"} for entry in document["licenses"])
        assert all(entry.keys() == image for entry in document["images"])
        assert [entry["id"] for entry in document["images"]] == list(range(1, IMAGES + 1))
        assert all(annotation.keys() == wanted for annotation in document["annotations"])
        if kind != "panoptic":
            assert [a["id"] for a in document["annotations"]] == list(range(1, len(document["annotations"]) + 1))
    segments = [s for a in load(folder, "panoptic")["annotations"] for s in a["segments_info"]]
    assert all(segment.keys() == {"id", "category_id", "area", "bbox", "iscrowd"} for segment in segments)
    assert all(type(side) is int for segment in segments for side in segment["bbox"])


def test_the_categories_are_listed(folder: Path) -> None:
    panoptic, instances = load(folder, "panoptic")["categories"], load(folder, "instances")["categories"]
    assert all(c.keys() == {"id", "name", "supercategory", "isthing", "color"} for c in panoptic)
    assert [(c["id"], c["name"], c["isthing"]) for c in panoptic] == [(c.id, c.name, c.isthing) for c in CATEGORIES]
    assert len({tuple(c["color"]) for c in panoptic}) == len(panoptic)
    plain = [{key: c[key] for key in ("id", "name", "supercategory")} for c in panoptic if c["isthing"]]
    assert instances == plain
    assert "categories" not in load(folder, "captions")


# Captions


def test_captions_count_what_the_instances_hold(folder: Path) -> None:
    names = {category.id: category.name for category in CATEGORIES}
    kinds: dict[int, Counter[str]] = {number: Counter() for number in range(1, IMAGES + 1)}
    for instance in load(folder, "instances")["annotations"]:
        if not instance["iscrowd"]:
            kinds[instance["image_id"]][names[instance["category_id"]]] += 1
    told = load(folder, "captions")["annotations"]
    assert Counter(a["image_id"] for a in told) == Counter(dict.fromkeys(kinds, 5))
    for number, count in kinds.items():
        third = [a["caption"] for a in told if a["image_id"] == number][2]
        assert counted(third.partition(":")[2]) == count
        assert counted(third.partition(":")[0])["shape"] == count.total()


def test_captions_name_colours_ground_and_crowds() -> None:
    for index in range(48):
        drawn = scene(5, index)
        shapes = [part for part in drawn.things if not part.iscrowd]
        first, _, _, _, fifth = told = captions(drawn)
        assert all(text.endswith(".") and text[0].isupper() for text in told)
        single = first.partition(" a crowd")[0]
        assert groups(single) == Counter((part.colour, part.category.name) for part in shapes)
        assert colours(fifth) == Counter(part.colour for part in shapes)
        for text in (first, fifth):
            assert ("a crowd of small" in text) == (index % 4 == 2)
            assert all(part.category.name in text for part in drawn.parts if part.category in STUFF)


def test_relations_hold_for_every_pair() -> None:
    compared = 0
    for index in range(48):
        drawn = scene(6, index)
        second = captions(drawn)[1]
        found = re.fullmatch(r"(.*) (to the left of|to the right of|above|below) (.*) on .*\.", second)
        if found is None:
            continue
        one, other = (members(drawn.things, text) for text in (found[1], found[3]))
        axis = 0 if "to the" in found[2] else 1
        smaller, greater = (one, other) if found[2] in ("to the left of", "above") else (other, one)
        assert max(middle(part, axis) for part in smaller) < min(middle(part, axis) for part in greater)
        compared += 1
    assert compared > 30


def test_the_largest_shape_is_where_the_caption_says() -> None:
    for index in range(48):
        drawn = scene(8, index)
        shapes = [part for part in drawn.things if not part.iscrowd]
        if not shapes:
            assert captions(drawn)[3].startswith("The ground is ")
            continue
        part = sorted(shapes, key=lambda shape: -shape.area)[0]
        x, y = middle(part, 0) / 128, middle(part, 1) / 128
        text = captions(drawn)[3]
        assert f"{part.colour} {part.category.name}" in text
        assert ("left" in text, "right" in text) == (x < 1 / 3, x >= 2 / 3)
        assert ("upper" in text, "lower" in text) == (y < 1 / 3, y >= 2 / 3)


def singular(noun: str) -> str:
    return "cross" if noun in ("cross", "crosses") else noun.removesuffix("s")


def amount(word: str) -> int:
    return 1 if word.lower() in ("a", "an") else NUMBERS.index(word.lower())


def counted(text: str) -> Counter[str]:
    """`two stars and one ring` → {star: 2, ring: 1}."""
    found = re.findall(rf"\b({'|'.join(NUMBERS)}) ([a-z]+)", text, re.IGNORECASE)
    return Counter({singular(noun): amount(number) for number, noun in found})


def groups(text: str) -> Counter[tuple[str, str]]:
    """`Two red circles and an orange ring` → {(red, circle): 2, (orange, ring): 1}."""
    found = re.findall(rf"\b(an?|{'|'.join(NUMBERS)}) ([a-z]+) ([a-z]+)", text, re.IGNORECASE)
    return Counter({(colour, singular(noun)): amount(number) for number, colour, noun in found})


def colours(text: str) -> Counter[str]:
    found = re.findall(r"([a-z]+) ([a-z]+) shapes?\b", text)
    return Counter({colour: amount(number) for number, colour in found})


def members(parts: tuple[Part, ...], text: str) -> list[Part]:
    ((key, count),) = groups(text).items()
    found = [part for part in parts if (part.colour, part.category.name) == key]
    assert len(found) == count
    return found


def middle(part: Part, axis: int) -> float:
    return part.bbox[axis] + part.bbox[axis + 2] / 2


# Folders


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "again", images=IMAGES, seed=0)
    write(tmp_path / "other", images=IMAGES, seed=1)
    assert tree(tmp_path / "again") == tree(folder)
    assert tree(tmp_path / "other").keys() == tree(folder).keys()
    assert tree(tmp_path / "other") != tree(folder)
    assert len(tree(folder)) == 3 * IMAGES + 3


def test_splits_share_no_picture(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "train", images=3, seed=0, split="train")
    assert not {path.name for path in folder.rglob("*.jpg")} & {path.name for path in tmp_path.rglob("*.jpg")}
    assert not {path.read_bytes() for path in folder.rglob("*.png")} & {p.read_bytes() for p in tmp_path.rglob("*.png")}


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(Usage, match="exists already"):
        write(tmp_path / "set", images=1, seed=0)
    assert tree(tmp_path) == {"set/mine.txt": b"mine"}


@pytest.mark.parametrize("wrong", [{"images": 0}, {"images": 1_000_001}, {"seed": -1}, {"split": "../val"}])
def test_arguments_out_of_range_are_refused(wrong: dict, tmp_path: Path) -> None:
    with pytest.raises(Usage, match="images are 1"):
        write(tmp_path / "set", **{"images": 1, "seed": 0} | wrong)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "set", images=1, seed=0)
    assert not list(tmp_path.iterdir())


def test_ensure_writes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path))
    path = ensure(images=1)
    before = (path / "annotations" / "panoptic_val.json").stat().st_mtime_ns
    assert ensure(images=1) == path
    assert (path / "annotations" / "panoptic_val.json").stat().st_mtime_ns == before
    assert len({path, ensure(images=2), ensure(images=1, seed=1), ensure(images=1, split="train")}) == 4


def test_who_finishes_second_deletes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path))
    fill, started = module._fill, []

    def slow(*args: object) -> None:
        fill(*args)
        if not started:
            started.append(True)
            ensure(images=1)  # the faster process

    monkeypatch.setattr(module, "_fill", slow)
    path = ensure(images=1)
    assert list((tmp_path / "shapes").iterdir()) == [path]
    assert len(tree(path)) == 6


def test_processes_may_race(tmp_path: Path) -> None:
    call = "from vismark.datasets.shapes.write import ensure; ensure(images=4)"
    environment = os.environ | {"VISMARK_CACHE": str(tmp_path)}
    racers = [subprocess.Popen([sys.executable, "-c", call], env=environment) for _ in range(2)]
    assert [racer.wait(timeout=60) for racer in racers] == [0, 0]
    (path,) = (tmp_path / "shapes").iterdir()
    write(tmp_path / "alone", images=4, seed=0)
    assert tree(path) == tree(tmp_path / "alone")


def test_the_card_names_the_code() -> None:
    card = registry.card("datasets", "shapes")
    assert registry.load(card.code) is ensure
    assert card.version == str(VERSION)
    assert card.splits["val"].images == 60 == ensure.__defaults__[0]
