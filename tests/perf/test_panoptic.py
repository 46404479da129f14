"""`score coco-panoptic` against panopticapi: the whole command, the same cores, in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from timed import cost, least
from vismark.formats.panoptic import encode_ids

HEIGHT, WIDTH, CATEGORIES = 480, 640, 133

OFFICIAL = "from panopticapi.evaluation import pq_compute; pq_compute({truth!r}, {prediction!r})"
OURS = "import sys; sys.argv = ['vismark', 'score', 'coco-panoptic', {prediction!r}, '--references', {truth!r}, '-o', {output!r}]; from vismark.cli.main import run; run()"  # noqa: E501
IMPORTS = "import typer, rich.table, typer._adapters, vismark.cli.main, hotcoco, numpy, pyarrow.parquet"


def ellipses(random: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    """Parameters of `count` ellipses: centre, half axes, angle."""
    return np.column_stack(
        [
            random.uniform(0, [WIDTH, HEIGHT], (count, 2)),
            random.uniform(15, 110, (count, 2)),
            random.uniform(0, 3.2, count),
        ]
    )


def paint(shapes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Two halves of ground, and the ellipses over them; pixel values 1, 2, 3 …"""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    label = np.where(rows < HEIGHT // 2, 1, 2)
    for number, (x, y, a, b, angle) in enumerate(shapes, 3):
        right, down = columns - x, rows - y
        u = (right * np.cos(angle) + down * np.sin(angle)) / a
        v = (down * np.cos(angle) - right * np.sin(angle)) / b
        label[u * u + v * v < 1 + 0.1 * np.sin(9 * np.arctan2(v, u))] = number
    return label


def generate(folder: Path, images: int, distinct: int) -> tuple[Path, Path]:
    """A ground truth and a prediction in the official format; pictures repeat after `distinct`."""
    random = np.random.default_rng(0)
    parts: dict[str, list[dict[str, Any]]] = {"truth": [], "prediction": []}
    drawn: list[dict[str, tuple[bytes, list[dict[str, int]]]]] = []
    for name in parts:
        (folder / name).mkdir(parents=True)
    for number in range(images):
        if number < distinct:
            drawn.append(pair(random))
        for name, (data, segments) in drawn[number % distinct].items():
            (folder / name / f"{number:012}.png").write_bytes(data)
            parts[name].append({"image_id": number, "file_name": f"{number:012}.png", "segments_info": segments})
    categories = [{"id": id, "name": f"c{id}", "isthing": int(id > 53)} for id in range(1, CATEGORIES + 1)]
    pictures = [{"id": n, "file_name": f"{n:012}.jpg", "width": WIDTH, "height": HEIGHT} for n in range(images)]
    truth = {"images": pictures, "annotations": parts["truth"], "categories": categories}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "prediction.json").write_text(json.dumps({"annotations": parts["prediction"]}))
    return folder / "truth.json", folder / "prediction.json"


def pair(random: np.random.Generator) -> dict[str, tuple[bytes, list[dict[str, int]]]]:
    """One image: truth, and the same shapes moved a little, each as PNG and segments."""
    shapes = ellipses(random, int(random.integers(8, 22)))
    moved = shapes + np.column_stack([random.normal(0, 4, (len(shapes), 4)), np.zeros(len(shapes))])
    kinds = random.integers(1, CATEGORIES + 1, len(shapes) + 3)
    found = {}
    for name, one in (("truth", shapes), ("prediction", moved)):
        label = paint(one)
        ids = random.choice(2**24 - 1, len(shapes) + 3, replace=False).astype(np.uint32) + 1
        values, counts = np.unique(label, return_counts=True)
        segments = [
            {"id": int(ids[v]), "category_id": int(kinds[v]), "area": int(c), "iscrowd": 0}
            for v, c in zip(values, counts, strict=True)
        ]
        found[name] = (encode_ids(ids[label]), segments)
    return found


@pytest.mark.perf
def test_whole_command_against_panopticapi(tmp_path: Path) -> None:
    pytest.importorskip("panopticapi.evaluation", reason="panopticapi-lite is not installed")
    for images in (200, 1000):
        truth, prediction = generate(tmp_path / str(images), images, 100)
        names = {"truth": str(truth), "prediction": str(prediction), "output": str(tmp_path / "result.json")}
        found = least({"theirs": OFFICIAL.format(**names), "ours": OURS.format(**names)}, tmp_path)
        theirs, ours = found["theirs"], found["ours"]
        print(
            f"\nscore coco-panoptic, {images} pairs of {WIDTH}×{HEIGHT}, whole command: {ours.seconds:.2f} s, "
            f"{theirs.seconds / ours.seconds:.1f} × panopticapi "
            f"(processor time {ours.processor:.2f} s, {theirs.processor / ours.processor:.1f} ×)"
        )
    start = least({"imports": IMPORTS}, tmp_path)["imports"]
    print(f"of which starting Python and importing what is needed: {start.seconds:.2f} s")


@pytest.mark.perf
def test_memory_is_flat_in_the_number_of_images(tmp_path: Path) -> None:
    peaks = {}
    for images in (100, 2000):
        truth, prediction = generate(tmp_path / str(images), images, 10)
        names = {"truth": str(truth), "prediction": str(prediction), "output": str(tmp_path / "result.json")}
        peaks[images] = cost(OURS.format(**names), tmp_path).bytes
    base = cost(IMPORTS, tmp_path).bytes
    print(
        "\npeak memory:",
        ", ".join(f"{n} images {p / 2**20:.0f} MiB" for n, p in peaks.items()),
        f"(imports {base / 2**20:.0f} MiB)",
    )
    # Twenty times the images: their JSON records and evidence are a few kilobytes each, the pixels are never all here.
    assert peaks[2000] - peaks[100] < 1900 * 20 * 1024
