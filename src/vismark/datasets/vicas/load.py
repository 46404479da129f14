"""Loads ViCaS: one record a video, with frames, captions, tracks and expressions read when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats.mask_phrases import VideoCaption, parse_caption
from vismark.formats.rle import empty_mask
from vismark.formats.vicas import (
    Expression,
    Video,
    find_annotation,
    read_split,
    read_video,
    video_name,
)
from vismark.problems import Problems, Refused, Usage, refuse
from vismark.runtime.folders import data_root
from vismark.tasks import Frames

VERSIONS = ("v1.0", "v0.1")
RATE = 30

_VIDEO = re.compile(r"(\d{6})_.*\.mp4")


@dataclass(frozen=True)
class Footage:
    """Where the pictures of videos are: a folder with a folder of frames for each, and videos by name."""

    frames: Path | None = None
    videos: Mapping[str, Path] = field(default_factory=dict)

    def of(self, name: str, video: Video) -> Frames:
        """The frames of the video called `name`; nothing is opened."""
        names = tuple(frame.filename for frame in video.segmentations)
        folder = self.frames / name if self.frames else None
        return Frames(names, *video.image_size, folder=folder, file=self.videos.get(name), rate=RATE)


@dataclass(frozen=True)
class Record:
    """One video.

    Attributes:
        name: six digits, the name of its files.
        video: the annotation.
        frames: all frames at 30 a second, in the order of the annotation.
    """

    name: str
    video: Video
    frames: Frames

    @cached_property
    def caption(self) -> VideoCaption:
        """The language-cleaned caption with its grounded phrases: the one that models are trained on.

        Raises:
            vismark.formats.mask_phrases.PhraseFault: its markup is broken.
        """
        return parse_caption(self.video.caption_raw_en_gpt)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What can be asked for, and the tracks that are meant."""
        return self.video.object_referrals

    def tracks(self, ids: Collection[int] = (), *, human: bool = False) -> dict[int, list[dict[str, Any]]]:
        """Track id → one mask a frame (compressed run lengths), an empty one where the object is absent.

        Args:
            ids: the tracks wanted; none means all, as officially.
            human: only the frames that people drew (about one a second), by name; else all, in order.
        """
        frames = self.video.scored if human else self.video.segmentations
        masks = [frame.masks for frame in frames]
        empty = empty_mask(self.video.image_size)
        return {id: [one.get(id, empty) for one in masks] for id in ids or self.video.all_track_ids}


@dataclass(frozen=True)
class Vicas(Sequence[Record]):
    """A split of the data set, in the order of the video ids."""

    annotations: Path
    names: tuple[str, ...]
    footage: Footage

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:  # type: ignore[override]
        return self.record(self.names[index])

    def record(self, name: str) -> Record:
        """The record of a video.

        Raises:
            Refused: its annotation is not there, or has faults; all are listed.
        """
        path = find_annotation(self.annotations, name)
        if path is None:
            fix = "`vismark download vicas`, or choose the version that this folder holds."
            raise refuse("VIDEO_MISSING", f"there is no annotation of video {name}", file=f"{name}.json", fix=fix)
        problems = Problems()
        video = read_video(path, problems)
        if video is None:
            raise Refused(problems)
        return Record(name, video, self.footage.of(name, video))


def load(
    root: str | Path | None = None,
    split: str = "val",
    *,
    version: str = "v1.0",
    annotations: Path | None = None,
    splits: Path | None = None,
    frames: Path | None = None,
    videos: Path | None = None,
) -> Vicas:
    """Load a split.

    Args:
        root: the data root; by default VISMARK_DATA.
        split: ``train``, ``val`` or ``test``.
        version: of annotations and split alike (the official class reads the split of v0.1, whatever the annotations).
        annotations, splits, frames, videos: folders that are elsewhere.

    Raises:
        Usage: there is no such split or version.
        Missing: no data root is known.
        Refused: the split file cannot be read.
    """
    if version not in VERSIONS or split not in ("train", "val", "test"):
        raise Usage(f"vicas has no {split!r} of {version!r}; it has train, val, test of {' and '.join(VERSIONS)}.")
    if not (annotations and splits):
        base = data_root(Path(root) if root else None) / "vicas"
        old = base / "v0.1" if version == "v0.1" and (base / "v0.1").is_dir() else base
        annotations = annotations or old / "annotations" / version
        splits = splits or base / "splits" / version
        frames, videos = frames or base / "video_frames", videos or base / "videos"
    problems = Problems()
    ids = read_split(splits / f"{split}.json", problems)
    if ids is None:
        raise Refused(problems)
    return Vicas(annotations, tuple(map(video_name, ids)), Footage(frames, find_videos(videos)))


def find_videos(folder: Path | None) -> dict[str, Path]:
    """Name → file of every video below a folder; the mirror on the hub has several folders."""
    if folder is None or not folder.is_dir():
        return {}
    return {match[1]: path for path in sorted(folder.rglob("*.mp4")) if (match := _VIDEO.fullmatch(path.name))}


def frame_count(path: Path) -> tuple[int, tuple[int, int]] | None:
    """How many frames an annotation has and their (height, width), without reading a mask; None if it has faults."""
    try:
        video = msgspec.json.decode(path.read_bytes(), type=Video)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError):
        return None
    return len(video.segmentations), video.image_size
