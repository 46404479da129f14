"""Writes videos of shapes in the formats and the layout of ViCaS: annotations, a split file, frames as JPEG.

<folder>/annotations/v1.0/000000.json …
<folder>/splits/v1.0/val.json
<folder>/video_frames/000000/00000.jpg …
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image
from pycocotools import mask as rle

from vismark.datasets.shapes.drawing import Mask
from vismark.datasets.shapes.motion import FRAMES, SIZE, Clip, clip
from vismark.datasets.shapes.telling import caption, chinese, expressions, paraphrases
from vismark.datasets.shapes.write import FIRST
from vismark.formats.mask_phrases import parse_caption
from vismark.formats.vicas import video_name
from vismark.problems import Usage
from vismark.runtime.atomic import filling, write_bytes
from vismark.runtime.folders import cache_root
from vismark.runtime.progress import Bar

VERSION = 1  # raised when a video would change
# Every sixth frame is scored, as people draw about one a second.
STEP = 6
_MOST = 1000


def ensure(videos: int = 12, seed: int = 0, split: str = "val") -> Path:
    """The folder of a data set in the cache; written when it is not there.

    Raises:
        Usage: an argument is out of range; see `write`.
    """
    folder = cache_root() / "shapes" / f"videos-v{VERSION}-seed{seed}-{videos}-{split}"
    if not folder.is_dir():
        write(folder, videos=videos, seed=seed, split=split)
    return folder


def write(folder: Path, *, videos: int, seed: int, split: str = "val") -> None:
    """Write a data set of `videos` videos of 30 frames of 96 × 144 pixels; `folder` appears when it is complete.

    Args:
        videos: 1 … 1,000.
        seed: 0 or more.
        split: ``val``, ``train`` or ``test``; they have no video in common.

    Raises:
        Usage: an argument is out of range.
    """
    if not 1 <= videos <= _MOST or seed < 0 or split not in FIRST:
        raise Usage(
            f"shapes has no {videos} videos of the split {split!r} for seed {seed}: "
            f"videos are 1 … {_MOST}, seeds 0 or more, splits {', '.join(FIRST)}."
        )
    first = _MOST * list(FIRST).index(split)
    with filling(folder) as part, Bar("Drawing videos", videos) as bar:
        for index in range(first, first + videos):
            name = video_name(index)
            document = _document(clip(seed, index), index, part / "video_frames" / name)
            write_bytes(part / "annotations" / "v1.0" / f"{name}.json", msgspec.json.encode(document))
            bar.advance()
        ids = list(range(first, first + videos))
        write_bytes(part / "splits" / "v1.0" / f"{split}.json", msgspec.json.encode(ids))


def _document(drawn: Clip, index: int, folder: Path) -> dict[str, Any]:
    """The annotation of a video, whose frames are written into `folder`."""
    folder.mkdir(parents=True)
    segmentations, seen = [], set()
    for number in range(FRAMES):
        pixels, masks = drawn.frame(number)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=90)
        ids = [id for id, mask in enumerate(masks) if mask.any()]
        scored = number % STEP == 0
        seen |= set(ids) if scored else set()
        segmentations.append(
            {
                "filename": f"{number:05d}.jpg",
                "is_gt": scored,
                "track_ids": ids,
                "mask_rles": [_rle(masks[id]) for id in ids],
            }
        )
    raw = caption(drawn)
    parsed = parse_caption(raw).parsed
    return {
        "video_id": index,
        "src_dataset": "oops",
        "filename": f"{video_name(index)}_shapes.mp4",
        "image_size": list(SIZE),
        "caption_raw_en": raw,
        "caption_parsed_en": parsed,
        "caption_raw_en_gpt": raw,
        "caption_parsed_en_gpt": parsed,
        "caption_raw_cn": chinese(drawn),
        "reworded_en_captions": paraphrases(drawn),
        "object_referrals": [{"prompt": text, "track_ids": ids} for text, ids in expressions(drawn, sorted(seen))],
        "segmentations": segmentations,
        "all_track_ids": list(range(len(drawn.actors))),
    }


def _rle(mask: Mask) -> dict[str, Any]:
    packed = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": packed["counts"].decode("ascii")}
