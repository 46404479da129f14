"""Small annotation files that are right, for tests that break them in one place."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pycocotools import mask as rle

from vismark.jobs.validate import validate
from vismark.problems import Problem, Problems

HEIGHT, WIDTH = 40, 60
Content = dict[str, Any]


def images() -> list[Content]:
    return [{"id": id, "file_name": f"{id:012}.jpg", "height": HEIGHT, "width": WIDTH} for id in (42, 73)]


def categories() -> list[Content]:
    """Three of COCO's things."""
    named = ((1, "person", "person"), (2, "bicycle", "vehicle"), (3, "car", "vehicle"))
    return [{"id": id, "name": name, "supercategory": group} for id, name, group in named]


def block(top: int, left: int, height: int, width: int) -> np.ndarray[Any, Any]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def compressed(mask: np.ndarray[Any, Any]) -> Content:
    packed = rle.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": packed["counts"].decode()}


def instances() -> Content:
    """A polygon, a crowd with uncompressed runs, a compressed mask, a polygon in two parts."""
    square = [10.0, 10.0, 30.0, 10.0, 30.0, 25.0, 10.0, 25.0]
    parts = [[2, 2, 12, 2, 12, 12, 2, 12], [20.5, 2.5, 30.5, 2.5, 30.5, 12.5, 20.5, 12.5]]
    crowd = {"size": [HEIGHT, WIDTH], "counts": [80, 40, HEIGHT * WIDTH - 120]}
    entries = [
        (42, 1, [square], 300.0, [10.0, 10.0, 20.0, 15.0], 0),
        (42, 3, crowd, 40.0, [2.0, 0.0, 1.0, 40.0], 1),
        (73, 2, compressed(block(5, 6, 10, 12)), 120.0, [6, 5, 12, 10], 0),
        (73, 1, parts, 200.0, [2, 2, 28.5, 10.5], 0),
    ]
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "segmentation": segmentation,
            "area": area,
            "bbox": box,
            "iscrowd": crowd,
        }
        for number, (image, category, segmentation, area, box, crowd) in enumerate(entries, 1)
    ]
    return {"images": images(), "annotations": annotations, "categories": categories()}


def captions() -> Content:
    texts = ("A dog on a mat.", 'Two men said: "go".', "Ein Café: schön. ")
    entries = [{"id": n, "image_id": 42 if n < 3 else 73, "caption": text} for n, text in enumerate(texts, 1)]
    return {"images": images(), "annotations": entries}


def panoptic() -> tuple[Content, dict[str, np.ndarray[Any, Any]]]:
    """A panoptic file and its maps of ids: a person, a crowd of cars, grass, and some void."""
    named = [(1, "person", 1), (3, "car", 1), (193, "grass-merged", 0), (149, "road", 0)]
    kinds = [{"id": id, "name": name, "supercategory": "", "isthing": isthing} for id, name, isthing in named]
    maps, annotations = {}, []
    for image in images():
        ids = np.full((HEIGHT, WIDTH), 70_000, np.uint32)
        ids[:5], ids[10:20, 10:30], ids[25:30, 40:50] = 0, 300, 7
        name = image["file_name"].replace(".jpg", ".png")
        maps[name] = ids
        segments = [
            {"id": 300, "category_id": 1, "area": 200, "bbox": [10, 10, 20, 10], "iscrowd": 0},
            {"id": 7, "category_id": 3, "area": 50, "bbox": [40, 25, 10, 5], "iscrowd": 1},
            {"id": 70_000, "category_id": 193, "area": 60 * 35 - 250, "bbox": [0, 5, 60, 35], "iscrowd": 0},
        ]
        annotations.append({"image_id": image["id"], "file_name": name, "segments_info": segments})
    return {"images": images(), "annotations": annotations, "categories": kinds}, maps


def karpathy() -> Content:
    def entry(number: int, split: str) -> Content:
        sentences = [
            {"raw": f"A dog number {n}.", "tokens": ["a", "dog", "number", str(n)], "imgid": number, "sentid": n}
            for n in range(5 * number, 5 * number + 5)
        ]
        return {
            "filepath": "val2014",
            "filename": f"COCO_val2014_{number + 42:012}.jpg",
            "cocoid": number + 42,
            "imgid": number,
            "split": split,
            "sentids": [one["sentid"] for one in sentences],
            "sentences": sentences,
        }

    return {"dataset": "coco", "images": [entry(n, split) for n, split in enumerate(("train", "restval", "test"))]}


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def id_png(ids: np.ndarray[Any, Any]) -> bytes:
    """RGB, by the official formula."""
    return png(np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8))


def write(folder: Path, content: Content | str | bytes, name: str = "file.json") -> Path:
    path = folder / name
    data = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def write_panoptic(
    folder: Path, content: Content, maps: dict[str, np.ndarray[Any, Any]] | dict[str, bytes], name: str = "file.json"
) -> Path:
    path = write(folder, content, name)
    path.with_suffix("").mkdir()
    for png_name, one in maps.items():
        (path.with_suffix("") / png_name).write_bytes(one if isinstance(one, bytes) else id_png(one))
    return path


def rows() -> list[Content]:
    """Two rows as the hub has them: stuff first, ids 1 … n, no boxes."""
    content, maps = panoptic()
    found = []
    for image, annotation in zip(content["images"], content["annotations"], strict=True):
        new = {300: 2, 7: 3, 70_000: 1}
        ids = sum(np.where(maps[annotation["file_name"]] == old, id, 0) for old, id in new.items())
        segments = [
            {name: one[name] for name in ("category_id", "area", "iscrowd")}
            | {"id": new[one["id"]], "isthing": int(one["category_id"] < 90)}
            for one in annotation["segments_info"]
        ]
        stated = {**annotation, "segments_info": sorted(segments, key=lambda one: one["id"])}
        mask = {"bytes": id_png(ids), "path": annotation["file_name"]}
        found.append({"mask": mask, "segments_info": stated, "image_info": image})
    return found


def table(folder: Path, content: list[Content], name: str = "train-00000-of-00001.parquet") -> Path:
    pq.write_table(pa.Table.from_pylist(content), folder / name, row_group_size=1)
    return folder / name


def broken(content: Content, change: Callable[[Content], object]) -> Content:
    """A copy of `content`, changed in place by `change`."""
    copied = copy.deepcopy(content)
    change(copied)
    return copied


def findings(path: Path, **options: Any) -> list[tuple[str, str, str]]:
    """(code, severity, place) of every finding of `validate`."""
    return [(one.code, one.severity, one.where) for one in validate(path, **options)]


def assert_complete(problems: Problems) -> None:
    """Every finding says where it is and what to do."""
    for one in problems:
        assert isinstance(one, Problem)
        assert one.code and one.message and one.file and one.fix, one
