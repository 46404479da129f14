"""A tiny COCO panoptic ground truth and a prediction for it: things, stuff, a crowd, void, every kind of error.

A test builds a `Case`, changes one thing, saves it, and asks both vismark and the official tool.
"""

from __future__ import annotations

import copy
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NUMBERS = tuple(quality + group for group in ("", "_th", "_st") for quality in ("PQ", "SQ", "RQ"))
SIZE = (20, 30)

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person", "isthing": 1},
    {"id": 18, "name": "dog", "supercategory": "animal", "isthing": 1},
    {"id": 119, "name": "flower", "supercategory": "plant", "isthing": 0},
    {"id": 187, "name": "sky-other-merged", "supercategory": "sky", "isthing": 0},
]

# Boxes (top, bottom, left, right), later ones on top; the rest of the image is void.
# image id → segment id → (category, iscrowd, box)
TRUTH: dict[int, dict[int, tuple[int, int, tuple[int, int, int, int]]]] = {
    139: {
        7: (187, 0, (0, 9, 0, 30)),
        70_000: (119, 0, (10, 20, 0, 28)),
        300: (1, 0, (4, 16, 5, 12)),
        301: (18, 0, (12, 18, 18, 26)),
    },
    285: {9: (187, 0, (0, 12, 0, 30)), 5_000_000: (1, 1, (2, 18, 2, 14)), 21: (1, 0, (6, 19, 18, 25))},
    632: {4: (119, 0, (2, 20, 0, 30)), 8: (18, 0, (5, 12, 8, 20))},
}
# The dog of the first image is missed, one person lies in the crowd, one in void, a dog is invented.
PREDICTION: dict[int, dict[int, tuple[int, int, tuple[int, int, int, int]]]] = {
    139: {1: (187, 0, (0, 8, 0, 30)), 2: (119, 0, (9, 20, 0, 30)), 66_051: (1, 0, (4, 15, 5, 13))},
    285: {
        3: (187, 0, (0, 11, 0, 29)),
        4: (1, 0, (3, 12, 3, 12)),
        6: (1, 0, (6, 19, 18, 26)),
        8: (18, 0, (13, 17, 3, 9)),
    },
    632: {1: (119, 0, (3, 20, 0, 30)), 2: (18, 0, (6, 12, 8, 21)), 3: (1, 0, (0, 2, 0, 10))},
}


@dataclass
class Case:
    """A ground truth and a prediction in memory, and where `save` writes them.

    Attributes:
        truth, prediction: what the two JSON files will hold.
        true_maps, maps: image id → segment ids, uint32 of shape (20, 30).
    """

    folder: Path
    truth: dict[str, Any]
    prediction: dict[str, Any]
    true_maps: dict[int, NDArray[np.uint32]]
    maps: dict[int, NDArray[np.uint32]]

    @property
    def references(self) -> Path:
        return self.folder / "panoptic_val.json"

    @property
    def submission(self) -> Path:
        return self.folder / "predictions.json"

    @property
    def first(self) -> dict[str, Any]:
        """The annotation of the first predicted image."""
        return self.prediction["annotations"][0]

    @property
    def png(self) -> Path:
        """The PNG of the first predicted image."""
        return self.submission.with_suffix("") / "000000000139.png"

    def save(self) -> Case:
        """Write both JSON files and all PNGs."""
        for path, content, maps in (
            (self.references, self.truth, self.true_maps),
            (self.submission, self.prediction, self.maps),
        ):
            path.with_suffix("").mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
            for image_id, ids in maps.items():
                Image.fromarray(rgb(ids)).save(path.with_suffix("") / f"{image_id:012d}.png")
        return self


def build(folder: Path) -> Case:
    """The valid case; its maps and dicts are fresh copies."""
    true_maps, true_annotations = _draw(TRUTH)
    maps, annotations = _draw(PREDICTION)
    for annotation in annotations:
        for segment in annotation["segments_info"]:
            del segment["area"], segment["iscrowd"]
    images = [{"id": id, "file_name": f"{id:012d}.jpg", "width": SIZE[1], "height": SIZE[0]} for id in TRUTH]
    truth = {"images": images, "annotations": true_annotations, "categories": copy.deepcopy(CATEGORIES)}
    return Case(folder, truth, {"annotations": annotations}, true_maps, maps)


def official(case: Case) -> dict[str, float]:
    """The nine numbers of panopticapi, run on one core in this process; raises whatever it raises."""
    from unittest.mock import patch

    from panopticapi import evaluation

    def one_core(matched: Any, gt_folder: str, pred_folder: str, categories: Any) -> Any:
        return evaluation.pq_compute_single_core(0, matched, gt_folder, pred_folder, categories)

    with patch.object(evaluation, "pq_compute_multi_core", one_core):
        results = evaluation.pq_compute(str(case.references), str(case.submission))
    groups = {"": "All", "_th": "Things", "_st": "Stuff"}
    return {name: float(results[groups[name[2:]]][name[:2].lower()]) for name in NUMBERS}


def rgb(ids: NDArray[Any]) -> NDArray[np.uint8]:
    """R = id mod 256, G = id / 256 mod 256, B = id / 65536 (the inverse of panopticapi's rgb2id)."""
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def chunk(kind: bytes, body: bytes, *, crc: int | None = None) -> bytes:
    """One PNG chunk."""
    check = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def png_bytes(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    interlace: int = 0,
    idat: bytes | None = None,
    **extra: Any,
) -> bytes:
    """A PNG written by hand: zeros of the size named unless `idat` (compressed) is given; `before` goes before IDAT."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 3)
    if idat is None:
        idat = zlib.compress((b"\0" * (1 + (width * samples * depth + 7) // 8)) * height, 9)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IHDR", header) + extra.get("before", b"") + chunk(b"IDAT", idat) + extra.get("after", b"")
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def _draw(
    images: Mapping[int, Mapping[int, tuple[int, int, tuple[int, int, int, int]]]],
) -> tuple[dict[int, NDArray[np.uint32]], list[dict[str, Any]]]:
    maps, annotations = {}, []
    for image_id, segments in images.items():
        ids = np.zeros(SIZE, dtype=np.uint32)
        for id, (_, _, (top, bottom, left, right)) in segments.items():
            ids[top:bottom, left:right] = id
        maps[image_id] = ids
        listed = [
            {"id": id, "category_id": category, "area": int((ids == id).sum()), "iscrowd": crowd}
            for id, (category, crowd, _) in segments.items()
        ]
        annotations.append({"image_id": image_id, "file_name": f"{image_id:012d}.png", "segments_info": listed})
    return maps, annotations
