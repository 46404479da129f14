"""What a report on language-guided segmentation shows: AP over thresholds, film strips of the worst expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vismark.benchmarks.lgvis_tracks import VideoFolder
from vismark.benchmarks.panels import Curve, Curves, Panel, Tile, TileRow, Tiles
from vismark.benchmarks.vicas_panels import captioned
from vismark.benchmarks.vicas_truth import VicasTruth, parts
from vismark.formats.lgvis import MaskReader, Track, read_content
from vismark.formats.rle import box_of, empty_mask, from_string
from vismark.metrics.track_overlap import overlaps
from vismark.problems import Missing, Problems, Refused
from vismark.tasks import RLE, Category, Detections, Frames, Image, Picture

# Frames of a strip, and videos shown with their captions.
_FRAMES = 6
_VIDEOS = 10
# Colours: the targets of an expression in order, then predictions that meet none of them.
_COLOURS = tuple(
    Category(number, f"target {number + 1}" if number < 10 else f"no target, {number - 9}") for number in range(20)
)

Mask = dict[str, Any]


def panels(
    truth: VicasTruth,
    submission: VideoFolder,
    breakdown: Mapping[str, Mapping[str, float | int | None]],
    worst: Sequence[tuple[str, str]],
) -> list[Panel]:
    """A curve over IoU thresholds (the breakdown ``IoU``) and strips of the expressions named in `worst` (id, note)."""
    points = [(float(threshold), (row["AP"] or 0.0) / 100) for threshold, row in breakdown.items()]
    note = "AP at each IoU threshold; their mean is mAP."
    strips = "Lowest IoU first: truth above, prediction below; a colour is a target, an object of none has its own."
    videos = list(dict.fromkeys(parts(id)[0] for id, _ in worst))[:_VIDEOS]
    return [
        Curves("AP over IoU thresholds", note, [Curve("AP", points)], "IoU", "AP"),
        Tiles("Worst expressions", strips, _Strips(truth, submission, worst), _COLOURS),
        captioned("Videos of the worst expressions", truth, [(name, "") for name in videos], {}),
    ]


@dataclass(frozen=True)
class _Strips(Sequence[TileRow]):
    """Two rows an expression, read from the files when they are drawn."""

    truth: VicasTruth
    submission: VideoFolder
    worst: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return 2 * len(self.worst)

    def __getitem__(self, index: Any) -> Any:
        id, note = self.worst[index // 2]
        strip = _Strip(self.truth, self.submission, id)
        if index % 2 == 0:
            return TileRow(id, strip.tiles(strip.true), note)
        title = "prediction" if strip.found else "prediction: no object"
        return TileRow(title, strip.tiles(strip.found, strip.colours()))


class _Strip:
    """The masks of one expression at a few frames."""

    def __init__(self, truth: VicasTruth, submission: VideoFolder, id: str) -> None:
        name, number = parts(id)
        problems = Problems()
        video = truth.video(name, problems)
        content = read_content(submission.folder / f"{name}.json", problems, official=True)
        if video is None or content is None:
            raise Refused(problems)
        tracks = MaskReader(video, name, f"{name}.json", problems, official=False).tracks(content[0], (number,))
        masks = [frame.masks for frame in video.scored]
        one = video.object_referrals[number]
        self.empty = empty_mask(video.image_size)
        self.true: Sequence[Track] = [[frame.get(track, self.empty) for frame in masks] for track in one.track_ids]
        self.found: Sequence[Track] = tracks[number] or ()
        self.names = [frame.filename for frame in video.scored]
        self.frames = truth.footage.of(name, video)

    def colours(self) -> list[int]:
        """The colour of each predicted object: that of the target it meets best, or one of its own."""
        shared, _ = overlaps(self.found, [[one or self.empty for one in track] for track in self.true], self.empty)
        return [
            int(row.argmax()) % 10 if row.size and row.any() else 10 + number % 10 for number, row in enumerate(shared)
        ]

    def tiles(self, tracks: Sequence[Track], colours: Sequence[int] | None = None) -> list[Tile]:
        """A tile a frame with the masks of `tracks` laid over it."""
        chosen = np.unique(np.linspace(0, len(self.names) - 1, _FRAMES).round().astype(int)).tolist()
        pictures = _pictures(self.frames, [self.names[place] for place in chosen])
        kinds = np.array(range(len(tracks)) if colours is None else colours, np.int64) % len(_COLOURS)
        return [
            Tile(picture, self.names[place].partition(".")[0], None, self._objects([t[place] for t in tracks], kinds))
            for place, picture in zip(chosen, pictures, strict=True)
        ]

    def _objects(self, masks: Sequence[Mask | None], kinds: Any) -> Detections:
        there = [(mask, kind) for mask, kind in zip(masks, kinds, strict=True) if mask and mask != self.empty]
        size = (self.frames.height, self.frames.width)
        boxes = [box_of(from_string(mask["counts"]), size[0]) for mask, _ in there]
        corners = [[x, y, x + width, y + height] for x, y, width, height in boxes]
        return Detections(
            np.array(corners, np.float32).reshape(-1, 4),
            np.ones(len(there), np.float32),
            np.array([kind for _, kind in there], np.int64),
            tuple(RLE(size, mask["counts"].encode()) for mask, _ in there),
        )


def _pictures(frames: Frames, names: Sequence[str]) -> Iterator[Picture | Image]:
    """The frames, decoded if they are here; else pictures without a file, drawn as plain grey."""
    try:
        decoded = list(frames.pixels(names))
    except (Missing, Refused):
        return iter([Picture(None, frames.height, frames.width)] * len(names))
    return iter([Image(pixels) for pixels in decoded])
