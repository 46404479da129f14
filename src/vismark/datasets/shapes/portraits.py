"""One shape on one ground, by class: what class-conditional models draw, and what the feature network learns.

<folder>/<class>/<number>.png, 64 × 64 pixels; the classes are the eight shapes
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import numpy as np

from vismark.datasets.shapes.drawing import COLOURS, Pixels
from vismark.datasets.shapes.scenes import STUFF, THINGS, VERSION, portrait
from vismark.formats.image_files import encode
from vismark.runtime.folders import cache_root
from vismark.runtime.progress import Bar

CLASSES = tuple(category.name for category in THINGS)
SIZE = (64, 64)

# Where in the series of portraits a split begins: no two splits share a picture.
FIRST = {"val": 0, "train": 1_000_000}


def picture(label: int, index: int, seed: int = 0) -> Pixels:
    """Portrait number `index` of class `label`: uint8 RGB of shape (64, 64, 3); colour and ground are random."""
    rng = np.random.default_rng([seed, 1 + label, index])
    colour, ground = tuple(COLOURS)[rng.integers(len(COLOURS))], STUFF[rng.integers(len(STUFF))]
    return portrait(rng, THINGS[label], colour, ground, SIZE)


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
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
