"""Small ground truths and results for detection, and pycocotools' own verdict on them."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as tool
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L", "AR1", "AR10", "AR100", "AR_S", "AR_M", "AR_L")
HEIGHT, WIDTH = 60, 80
CATEGORIES = (1, 3, 17)


def run_lengths(pixels: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A mask as a results file holds it."""
    packed = tool.encode(np.asfortranarray(pixels, np.uint8))
    return {"size": list(packed["size"]), "counts": packed["counts"].decode()}


def number(value: int) -> str:
    """One number of compressed run lengths, after cocoapi's `rleToString`."""
    digit, value = value & 31, value >> 5
    end = value == (-1 if digit & 16 else 0)
    return chr(48 + digit) if end else chr(48 + digit + 32) + number(value)


def filled(box: list[float]) -> np.ndarray[Any, Any]:
    """The mask of an ellipse in a box."""
    x, y, width, height = box
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    across = (columns + 0.5 - x - width / 2) / max(width, 1)
    down = (rows + 0.5 - y - height / 2) / max(height, 1)
    inside: np.ndarray[Any, Any] = across**2 + down**2 <= 0.25
    return inside


def truth(seed: int = 0, images: int = 6, objects: int = 5, *, crowds: bool = True) -> dict[str, Any]:
    """An instances ground truth; the last image has no object."""
    random = np.random.default_rng(seed)
    pictures = [
        {"id": 10 * n + 7, "width": WIDTH, "height": HEIGHT, "file_name": f"{10 * n + 7:012}.jpg"}
        for n in range(images)
    ]
    annotations: list[dict[str, Any]] = []
    for picture in pictures[:-1] or pictures:
        for _ in range(objects):
            box = [float(v) for v in (*random.integers(0, 40, 2), *random.integers(3, 20, 2) * random.integers(1, 3))]
            pixels = filled(box)
            crowd = crowds and random.random() < 0.15
            packed = run_lengths(pixels)
            left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
            corners = [left, top, right, top, right, bottom, left, bottom]
            segmentation = packed if crowd or random.random() < 0.5 else [corners]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture["id"],
                    "category_id": int(random.choice(CATEGORIES)),
                    "bbox": box,
                    "area": float(tool.area(_drawn(segmentation))),
                    "iscrowd": int(crowd),
                    "segmentation": segmentation,
                }
            )
    categories = [{"id": id, "name": f"c{id}", "supercategory": ""} for id in CATEGORIES]
    return {"images": pictures, "annotations": annotations, "categories": categories}


def _drawn(segmentation: Any) -> Any:
    if isinstance(segmentation, dict):
        return segmentation
    return tool.merge(tool.frPyObjects(segmentation, HEIGHT, WIDTH))


def results(content: dict[str, Any], seed: int = 0, *, masks: bool = False, each: int = 3) -> list[dict[str, Any]]:
    """Detections around the objects of a ground truth, with ties of scores, in no order."""
    random = np.random.default_rng(seed + 1)
    found = []
    for one in content["annotations"]:
        for _ in range(each):
            box = [float(round(v + random.normal(0, 1.5), 1)) for v in one["bbox"]]
            box[2:] = [max(v, 1.0) for v in box[2:]]
            entry: dict[str, Any] = {
                "image_id": one["image_id"] if random.random() < 0.9 else int(random.choice([7, 17, 27])),
                "category_id": one["category_id"] if random.random() < 0.8 else int(random.choice(CATEGORIES)),
                "score": float(round(random.random(), 1)),
            }
            entry |= {"segmentation": run_lengths(filled(box))} if masks else {"bbox": box}
            found.append(entry)
    random.shuffle(found)
    return found


def official(content: dict[str, Any], detections: Any, iou: str) -> dict[str, float | None]:
    """pycocotools' twelve numbers (None for −1); raises what it raises."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = COCO()
        reference.dataset = copy.deepcopy(content)
        reference.createIndex()
        found = reference.loadRes(copy.deepcopy(detections))
        engine = COCOeval(reference, found, {"boxes": "bbox", "masks": "segm"}[iou])
        engine.evaluate()
        engine.accumulate()
        engine.summarize()
    return {name: None if value == -1 else float(value) for name, value in zip(NAMES, engine.stats, strict=True)}


def write(folder: Path, content: dict[str, Any], detections: Any) -> tuple[Path, Path]:
    """The two files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances_val2017.json").write_text(json.dumps(content))
    (folder / "results.json").write_text(detections if isinstance(detections, str) else json.dumps(detections))
    return folder / "instances_val2017.json", folder / "results.json"
