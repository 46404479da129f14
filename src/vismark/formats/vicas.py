"""Annotations of ViCaS: one JSON file a video, with captions, object tracks as run lengths, and expressions.

The reader is lazy: masks stay text until their frame is asked for, as only about one frame in thirty is scored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats import strict_json
from vismark.formats.rle import PIXEL_LIMIT
from vismark.problems import Problems

# One video: minutes of masks at 30 frames a second fit twice over.
LARGEST = 1 << 28
# The official scripts print ids with six digits.
DIGITS = 6

# The official reader needs all of them.
KEYS: Mapping[str, str] = {
    "video_id": "an integer",
    "src_dataset": "a string",
    "filename": "a string",
    "image_size": "[height, width]",
    "caption_raw_en": "a string",
    "caption_parsed_en": "a string",
    "caption_raw_en_gpt": "a string",
    "caption_parsed_en_gpt": "a string",
    "caption_raw_cn": "a string",
    "reworded_en_captions": "a list of strings",
    "object_referrals": "a list of objects",
    "segmentations": "a list of frames",
    "all_track_ids": "a list of integers",
}
# What segmentation is scored with; the official evaluator needs no more.
SCORED = ("image_size", "object_referrals", "segmentations")


class Expression(msgspec.Struct, frozen=True):
    """What a model is asked to segment, and the tracks that it means (one or several, in the order of the file)."""

    prompt: str
    track_ids: tuple[int, ...]


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame at 30 a second; `is_gt` tells the frames (about one a second) whose masks were drawn by people."""

    filename: str
    is_gt: bool
    track_ids: tuple[int, ...] = ()
    mask_rles: msgspec.Raw = msgspec.Raw(b"[]")

    @property
    def masks(self) -> dict[int, dict[str, Any]]:
        """Track id → mask as the file has it (`size`, compressed `counts`); absent objects have none.

        Raises:
            msgspec.DecodeError: the masks are no list of objects.
        """
        found = msgspec.json.decode(self.mask_rles, type=list[dict[str, Any]])
        # The official evaluator takes the first mask of an id that is listed twice.
        return dict(zip(reversed(self.track_ids), reversed(found), strict=True))


class Video(msgspec.Struct, frozen=True, dict=True):
    """A video's annotation; what the file lacks of the captions is empty."""

    image_size: tuple[int, int]
    object_referrals: tuple[Expression, ...]
    segmentations: tuple[Frame, ...]
    video_id: int = -1
    src_dataset: str = ""
    filename: str = ""
    caption_raw_en: str = ""
    caption_parsed_en: str = ""
    caption_raw_en_gpt: str = ""
    caption_parsed_en_gpt: str = ""
    caption_raw_cn: str = ""
    reworded_en_captions: tuple[str, ...] = ()
    all_track_ids: tuple[int, ...] = ()

    @cached_property
    def scored(self) -> tuple[Frame, ...]:
        """The frames with human masks, by name: those that are scored."""
        return tuple(sorted((f for f in self.segmentations if f.is_gt), key=lambda frame: frame.filename))

    @property
    def captions(self) -> tuple[str, ...]:
        """The reference captions, in the order in which the official judge sees them."""
        return (self.caption_parsed_en, self.caption_parsed_en_gpt, *self.reworded_en_captions)


def video_name(id: int) -> str:
    """The name of a video's files: its id with six digits."""
    return f"{id:0{DIGITS}}"


def find_annotation(folder: Path, name: str) -> Path | None:
    """The annotation file of the video called `name`: ``<name>.json``, or the only ``<name>_*.json`` (an old form)."""
    if (folder / f"{name}.json").is_file():
        return folder / f"{name}.json"
    found = list(folder.glob(f"{name}_*.json"))
    return found[0] if len(found) == 1 else None


def read_video(path: Path, problems: Problems) -> Video | None:
    """The annotation in a file, or None with every fault of it in `problems`."""
    from vismark.formats.vicas_checks import check_annotation

    data = strict_json.read_bytes(path, problems, file=path.name, limit=LARGEST)
    if data is None:
        return None
    fault = "`image_size` is not [height, width]"
    try:
        video = msgspec.json.decode(data, type=Video)
        if min(video.image_size) > 0 and video.image_size[0] * video.image_size[1] <= PIXEL_LIMIT:
            return video
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = str(error)
    known = problems.errors
    check_annotation(data, path.name, problems, keys=SCORED)
    if problems.errors == known:  # a fault that only the typed reader sees
        problems.add("FIELD_TYPE", fault, file=path.name, fix="Get the official file again.")
    return None


def read_split(path: Path, problems: Problems) -> list[int] | None:
    """The video ids of a split file, ascending, or None with an error."""
    data = strict_json.read_bytes(path, problems, file=path.name, limit=LARGEST)
    value = strict_json.parse(data, problems, file=path.name) if data is not None else None
    if value is None:
        return None
    if not is_ids(value) or not value:
        problems.add("SPLIT_FORMAT", "is no list of video ids", file=path.name, fix="Use the official split file.")
        return None
    if len(set(value)) < len(value):
        problems.add("SPLIT_FORMAT", "an id is listed twice", file=path.name, fix="Use the official split file.")
        return None
    return sorted(value)


def is_ids(value: Any) -> bool:
    """Whether a JSON value is a list of ids: integers from 0 to below a billion."""
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        return False
    return min(value, default=0) >= 0 and max(value, default=0) < 10**9


def stems(folder: Path) -> Sequence[str]:
    """The names of all videos that have an annotation in a folder, ascending."""
    return sorted(path.stem for path in folder.glob("*.json") if re.match(rf"\d{{{DIGITS}}}(_|$)", path.stem))
