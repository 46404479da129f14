"""Writes scenes in the formats and the layout of COCO 2017: pictures, instances, captions, panoptic maps.

    <folder>/<split>/000000000001.jpg …
    <folder>/annotations/instances_<split>.json, captions_<split>.json, panoptic_<split>.json
    <folder>/annotations/panoptic_<split>/000000000001.png …
    <folder>/annotations/pancap_<split>/000000000001.txt …   grounded captions, as COCONut-PanCap has them

One liberty: masks that are no crowd are compressed RLEs, as in COCO's stuff files, where instances files have polygons;
a polygon cannot hold a ring or a half-hidden shape exactly. Crowds are uncompressed RLEs, as in COCO.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as rle

from vismark.datasets.shapes.captions import captions
from vismark.datasets.shapes.grounded import grounded
from vismark.datasets.shapes.scenes import CATEGORIES, THINGS, VERSION, Part, Scene, scene
from vismark.formats.panoptic import encode_ids
from vismark.problems import Usage
from vismark.runtime.atomic import write_bytes
from vismark.runtime.folders import cache_root
from vismark.runtime.progress import Bar
from vismark.tasks import Category

LAYOUT = 2  # raised when files are added or change: sets that are in the cache already are drawn again

# Where in the series of scenes a split begins: no two splits share a picture or an id.
FIRST = {"val": 0, "train": 1_000_000, "test": 2_000_000}
_MOST = 1_000_000

# Supercategory and colour of each category, as the category lists of COCO have them.
_LOOK = {
    "circle": ("round", (220, 20, 60)),
    "square": ("angular", (0, 60, 100)),
    "triangle": ("angular", (250, 170, 30)),
    "star": ("angular", (106, 0, 228)),
    "ring": ("round", (0, 125, 92)),
    "cross": ("angular", (199, 100, 0)),
    "crescent": ("round", (174, 57, 255)),
    "heart": ("round", (255, 179, 240)),
    "grass": ("plant", (152, 251, 152)),
    "sand": ("ground", (254, 212, 124)),
    "water": ("water", (58, 41, 149)),
    "brick": ("wall", (183, 121, 142)),
}

_LICENCE = {"id": 1, "name": "Apache License 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}

Record = dict[str, Any]


def ensure(images: int = 60, seed: int = 0, split: str = "val") -> Path:
    """The folder of a data set in the cache; written when it is not there.

    Two processes may call this at once: both write, the first to finish wins, the other deletes its own.

    Raises:
        Usage: the number of images, the seed or the split is out of range.
    """
    folder = cache_root() / "shapes" / f"v{VERSION}.{LAYOUT}-seed{seed}-{images}-{split}"
    if not folder.is_dir():
        _publish(folder, images, seed, split)
    return folder


def write(folder: Path, *, images: int, seed: int, split: str = "val") -> None:
    """Write a data set of `images` pictures of 128 × 128; `folder` appears when it is complete.

    Args:
        folder: must not exist.
        images: 1 … 1,000,000.
        seed: 0 or more.
        split: ``val``, ``train`` or ``test``; they have no picture in common.

    Raises:
        Usage: `folder` exists, or an argument is out of range.
    """
    if folder.exists() or not _publish(folder, images, seed, split):
        raise Usage(f"{folder} exists already; name a folder that does not, or remove it.")


def _publish(folder: Path, images: int, seed: int, split: str) -> bool:
    """Write beside `folder` and rename; False if someone else has made `folder` meanwhile."""
    if not 1 <= images <= _MOST or seed < 0 or split not in FIRST:
        raise Usage(
            f"shapes has no {images} images of the split {split!r} for seed {seed}: "
            f"images are 1 … {_MOST}, seeds 0 or more, splits {', '.join(FIRST)}."
        )
    part = folder.parent / f".{folder.name}.{uuid.uuid4().hex}.part"
    try:
        _fill(part, images, seed, split)
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        return False
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return True


def _fill(folder: Path, images: int, seed: int, split: str) -> None:
    """Everything, picture by picture; the files that hold all of them last."""
    annotations = folder / "annotations"
    maps = annotations / f"panoptic_{split}"
    (folder / split).mkdir(parents=True)
    maps.mkdir(parents=True)
    texts = annotations / f"pancap_{split}"
    texts.mkdir()
    entries: list[Record] = []
    found: dict[str, list[Record]] = {"instances": [], "captions": [], "panoptic": []}
    with Bar("Drawing shapes", images) as bar:
        for index in range(FIRST[split], FIRST[split] + images):
            drawn, number = scene(seed, index), index + 1
            Image.fromarray(drawn.pixels).save(folder / split / f"{number:012}.jpg", quality=90)
            (maps / f"{number:012}.png").write_bytes(encode_ids(drawn.ids))
            (texts / f"{number:012}.txt").write_text(grounded(drawn), encoding="utf-8")
            entries.append(_image(drawn, number))
            found["instances"] += [_instance(drawn, part, number) for part in drawn.things]
            found["captions"] += [{"image_id": number, "caption": text} for text in captions(drawn)]
            found["panoptic"].append(_panoptic(drawn, number))
            bar.advance()
    for kind, records in found.items():
        document = _document(kind, entries, records, _info(images, seed, split))
        write_bytes(annotations / f"{kind}_{split}.json", msgspec.json.encode(document))


def _image(drawn: Scene, number: int) -> Record:
    height, width = drawn.ids.shape
    return {
        "id": number,
        "file_name": f"{number:012}.jpg",
        "width": width,
        "height": height,
        "license": 1,
        "coco_url": "",
        "flickr_url": "",
        "date_captured": "2025-01-01 00:00:00",
    }


def _instance(drawn: Scene, part: Part, number: int) -> Record:
    """An instances annotation; area and box are of the mask, as floats."""
    mask = np.asfortranarray(drawn.mask(part), dtype=np.uint8)
    if part.iscrowd:
        segmentation: Record = {"size": list(mask.shape), "counts": _runs(mask)}
    else:
        segmentation = {"size": list(mask.shape), "counts": rle.encode(mask)["counts"].decode("ascii")}
    return {
        "image_id": number,
        "category_id": part.category.id,
        "segmentation": segmentation,
        "area": float(part.area),
        "bbox": [float(side) for side in part.bbox],
        "iscrowd": int(part.iscrowd),
    }


def _runs(mask: NDArray[np.uint8]) -> list[int]:
    """Lengths of the runs of a mask, column by column, the first of zeros (it may be empty)."""
    flat = np.concatenate([[0], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(run) for run in np.diff(np.concatenate([[0], changes, [mask.size]]))]


def _panoptic(drawn: Scene, number: int) -> Record:
    segments = [
        {
            "id": part.id,
            "category_id": part.category.id,
            "area": part.area,
            "bbox": list(part.bbox),
            "iscrowd": int(part.iscrowd),
        }
        for part in drawn.parts
    ]
    return {"image_id": number, "file_name": f"{number:012}.png", "segments_info": segments}


def _document(kind: str, images: Sequence[Record], records: Sequence[Record], info: Record) -> Record:
    """The top level of an annotation file. Panoptic annotations have no id of their own, the others count from 1."""
    if kind != "panoptic":
        records = [{"id": number, **record} for number, record in enumerate(records, 1)]
    document: Record = {"info": info, "licenses": [_LICENCE], "images": images, "annotations": records}
    if kind == "instances":
        document["categories"] = [_category(category) for category in THINGS]
    elif kind == "panoptic":
        document["categories"] = [
            _category(category) | {"isthing": int(category.isthing), "color": _LOOK[category.name][1]}
            for category in CATEGORIES
        ]
    return document


def _category(category: Category) -> Record:
    return {"id": category.id, "name": category.name, "supercategory": _LOOK[category.name][0]}


def _info(images: int, seed: int, split: str) -> Record:
    return {
        "year": 2025,
        "version": str(VERSION),
        "description": f"shapes, {split}, {images} images of seed {seed}",
        "contributor": "vismark",
        "url": "",
        "date_created": "2025/01/01",  # fixed: the files depend on version, seed and number alone
        "seed": seed,
    }
