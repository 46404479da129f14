"""One shape on one ground, by class: what class-conditional models draw, and what the feature network learns.

<folder>/<class>/<number>.png, 64 × 64 pixels; the classes are the eight shapes
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import msgspec
import numpy as np

from vismark.datasets.shapes.drawing import COLOURS, Pixels
from vismark.datasets.shapes.scenes import STUFF, THINGS, VERSION, portrait
from vismark.formats.image_files import encode
from vismark.runtime.folders import cache_root
from vismark.runtime.progress import Bar
from vismark.tasks import Category

CLASSES = tuple(category.name for category in THINGS)
SIZE = (64, 64)

# Where in the series of portraits a split begins: no two splits share a picture.
FIRST = {"val": 0, "train": 1_000_000}


def picture(label: int, index: int, seed: int = 0) -> Pixels:
    """Portrait number `index` of class `label`: uint8 RGB of shape (64, 64, 3); colour and ground are random."""
    rng, colour, ground = _chosen(label, index, seed)
    return portrait(rng, THINGS[label], colour, ground, SIZE)


def sentence(label: int, index: int, seed: int = 0) -> str:
    """What portrait number `index` of class `label` shows."""
    _, colour, ground = _chosen(label, index, seed)
    return f"A{'n' if colour[0] in 'aeiou' else ''} {colour} {CLASSES[label]} on {ground.name}."


def ensure(each: int = 64) -> Path:
    """The folder in the cache with `each` portraits of every class; drawn when it is not there.

    Two processes may call this at once: both draw, the first to finish wins, the other deletes its own.
    """
    folder = cache_root() / "shapes" / f"v{VERSION}-portraits-{each}"
    if folder.is_dir():
        return folder
    part = folder.parent / f".{folder.name}.{uuid.uuid4().hex}.part"
    try:
        with Bar("Drawing portraits", each * len(CLASSES)) as bar:
            for label, name in enumerate(CLASSES):
                (part / "val" / name).mkdir(parents=True)
                for index in range(each):
                    file = part / "val" / name / f"{index:04d}.png"
                    file.write_bytes(encode(picture(label, FIRST["val"] + index)))
                    bar.advance()
        (part / "captions_val.json").write_bytes(msgspec.json.encode(_captions(each)))
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _chosen(label: int, index: int, seed: int) -> tuple[np.random.Generator, str, Category]:
    """The generator of a portrait, and its colour and ground."""
    rng = np.random.default_rng([seed, 1 + label, index])
    return rng, tuple(COLOURS)[rng.integers(len(COLOURS))], STUFF[rng.integers(len(STUFF))]


def _captions(each: int) -> dict[str, list[dict[str, object]]]:
    """Captions of all portraits, as COCO writes them; ids count from 1, class by class."""
    places = [(label, index) for label in range(len(CLASSES)) for index in range(each)]
    height, width = SIZE
    images: list[dict[str, object]] = []
    texts: list[dict[str, object]] = []
    for id, (label, index) in enumerate(places, 1):
        name = f"{CLASSES[label]}/{index:04d}.png"
        images.append({"id": id, "file_name": name, "height": height, "width": width})
        texts.append({"id": id, "image_id": id, "caption": sentence(label, FIRST["val"] + index)})
    return {"images": images, "annotations": texts}
