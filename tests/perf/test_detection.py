"""`score coco-detection` against pycocotools, and `check` of half a million detections: whole commands, in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as tool

from timed import least

HEIGHT, WIDTH, CATEGORIES = 480, 640, 80
IMAGES, OBJECTS, DETECTIONS = 5000, 37_000, 200_000

OFFICIAL = """
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO({truth!r})
engine = COCOeval(truth, truth.loadRes({file!r}), {iou!r})
engine.evaluate(); engine.accumulate(); engine.summarize()
"""
OURS = """
import sys
sys.argv = ['vismark', {command!r}, 'coco-detection', {file!r}, '--references', {truth!r}, '--protocol', {protocol!r}, *{more!r}]
from vismark.cli.main import run
run()
"""  # noqa: E501


def boxes(random: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    """Boxes of 8 to 300 pixels inside the image."""
    size = np.exp(random.uniform(np.log(8), np.log(300), (count, 2)))
    corner = random.uniform(0, [WIDTH, HEIGHT] - size)
    return np.round(np.column_stack([corner, size]), 2)


def polygon(box: np.ndarray[Any, Any]) -> list[float]:
    """An ellipse of 24 points in a box."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y, width, height = box
    points = np.column_stack([x + width / 2 * (1 + np.cos(angle)), y + height / 2 * (1 + np.sin(angle))])
    return [float(value) for value in np.round(points.ravel(), 2)]


def compressed(box: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The same ellipse as a results file holds it."""
    drawn = tool.frPyObjects([polygon(box)], HEIGHT, WIDTH)[0]
    return {"size": [HEIGHT, WIDTH], "counts": drawn["counts"].decode()}


def generate(folder: Path, detections: int) -> tuple[Path, dict[str, Path]]:
    """A ground truth of the size of val2017, and noisy copies of its objects as boxes and as masks."""
    random = np.random.default_rng(0)
    image, kind, place = (
        random.integers(1, IMAGES + 1, OBJECTS),
        random.integers(1, 81, OBJECTS),
        boxes(random, OBJECTS),
    )
    truth = {
        "images": [{"id": n, "width": WIDTH, "height": HEIGHT, "file_name": f"{n}.jpg"} for n in range(1, IMAGES + 1)],
        "categories": [{"id": n, "name": f"c{n}"} for n in range(1, CATEGORIES + 1)],
        "annotations": [
            {"id": n + 1, "image_id": int(image[n]), "category_id": int(kind[n]), "bbox": place[n].tolist(),
             "area": float(place[n][2] * place[n][3] * 0.785), "iscrowd": 0, "segmentation": [polygon(place[n])]}
            for n in range(OBJECTS)
        ],
    }  # fmt: skip
    source = random.integers(0, OBJECTS, detections)
    moved = place[source] * random.normal(1, 0.06, (detections, 4))
    moved[:, 2:] = np.clip(moved[:, 2:], 2, [WIDTH - 2, HEIGHT - 2])
    moved[:, :2] = np.clip(moved[:, :2], 0, [WIDTH, HEIGHT] - moved[:, 2:])
    category = np.where(random.random(detections) < 0.85, kind[source], random.integers(1, 81, detections))
    files = {"boxes": folder / "boxes.json", "masks": folder / "masks.json"}
    entries = [
        {"image_id": int(image[s]), "category_id": int(c), "score": float(score)}
        for s, c, score in zip(source, category, random.random(detections), strict=True)
    ]
    boxed = [e | {"bbox": np.round(b, 2).tolist()} for e, b in zip(entries, moved, strict=True)]
    files["boxes"].write_text(json.dumps(boxed))
    if detections == DETECTIONS:
        masked = [e | {"segmentation": compressed(b)} for e, b in zip(entries, moved, strict=True)]
        files["masks"].write_text(json.dumps(masked))
    (folder / "instances_val2017.json").write_text(json.dumps(truth))
    return folder / "instances_val2017.json", files


@pytest.mark.perf
@pytest.mark.timeout(1800)
def test_whole_command_against_pycocotools(tmp_path: Path) -> None:
    truth, files = generate(tmp_path, DETECTIONS)
    for protocol, iou in (("boxes", "bbox"), ("masks", "segm")):
        names = {"truth": str(truth), "file": str(files[protocol])}
        mine = OURS.format(command="score", protocol=protocol, more=["-o", str(tmp_path / "r.json")], **names)
        found = least({"theirs": OFFICIAL.format(iou=iou, **names), "ours": mine}, tmp_path, times=2)
        theirs, ours = found["theirs"], found["ours"]
        print(
            f"\nscore coco-detection ({protocol}), {IMAGES} images, {OBJECTS} objects, {DETECTIONS} detections: "
            f"{ours.seconds:.1f} s, {theirs.seconds / ours.seconds:.1f} × pycocotools; "
            f"memory {ours.bytes / 2**20:.0f} MiB, theirs {theirs.bytes / 2**20:.0f} MiB"
        )


@pytest.mark.perf
def test_check_of_half_a_million_detections(tmp_path: Path) -> None:
    truth, files = generate(tmp_path, 500_000)
    code = OURS.format(command="check", protocol="boxes", more=[], truth=str(truth), file=str(files["boxes"]))
    found = least({"check": code}, tmp_path, times=2)["check"]
    size = files["boxes"].stat().st_size / 2**20
    took = f"{found.seconds:.1f} s, {found.bytes / 2**20:.0f} MiB"
    print(f"\ncheck coco-detection, 500,000 detections, {size:.0f} MiB: {took}")
