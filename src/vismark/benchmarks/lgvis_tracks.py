"""The step of language-guided segmentation: read a video's prediction and truth, check both, count overlaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vismark.benchmarks.base import About, Evidence, Mode, Opened
from vismark.benchmarks.vicas_truth import VicasTruth, parts
from vismark.formats.lgvis import MaskReader, Track, read_content
from vismark.formats.rle import empty_mask, is_sound
from vismark.formats.strict_json import read_bytes
from vismark.formats.vicas import LARGEST, Video
from vismark.metrics.regions import contour_accuracy, jaccard, united
from vismark.metrics.track_overlap import overlaps
from vismark.metrics.tracks import TooManyTracks, ious, match
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

# Videos given to a worker at once.
_BATCH = 8

Mask = dict[str, Any]


class ExpressionRow(msgspec.Struct, frozen=True):
    """An expression of a video: pixels of the intersection and union of every predicted with every true track.

    `region` and `contour` are J and F of the united tracks, means over frames; None where they are not asked for.
    """

    number: int
    predicted: int
    targets: int
    intersections: tuple[tuple[int, ...], ...] = ()
    unions: tuple[tuple[int, ...], ...] = ()
    region: float | None = None
    contour: float | None = None


class VideoRows(Evidence, frozen=True, kw_only=True):
    """The evidence of one video."""

    rows: tuple[ExpressionRow, ...] = ()


@dataclass(frozen=True)
class VideoFolder:
    """A submission: its folder, and which expressions of which videos are scored (by name of the video)."""

    folder: Path
    wanted: Mapping[str, tuple[int, ...]]


class TrackStep:
    """Counts overlaps; settings: `order` of ties, and `regions`: whether J and F are measured, too."""

    def __init__(self, mode: Mode, settings: Mapping[str, Any]) -> None:
        self.official = mode == "official"
        self.order: str = settings["order"]
        self.regions: bool = settings["regions"]
        name = "lgvis-regions" if self.regions else "lgvis-tracks"
        self.about = About(name=name, version=1, record=VideoRows, batch=_BATCH, workers="processes")

    def ids(self, opened: Opened[VideoFolder], truth: VicasTruth) -> Sequence[str]:
        """The videos, whose files hold all their expressions."""
        return tuple(opened.submission.wanted)

    def run(self, submission: VideoFolder, truth: VicasTruth, ids: Sequence[str]) -> list[VideoRows]:
        """The evidence of videos; faults are in the records, nothing is raised."""
        return [self._video(submission, truth, id) for id in ids]

    def fingerprint(self, submission: VideoFolder, truth: VicasTruth, id: str) -> tuple[str, str]:
        """Digests of the two files as they are now; ("", "") when one cannot be read."""
        files = (submission.folder / f"{id}.json", truth.paths[id])
        data = [read_bytes(path, Problems(), file=path.name, limit=LARGEST) for path in files]
        return (digest_of(data[0]), digest_of(data[1])) if data[0] and data[1] else ("", "")

    def _video(self, submission: VideoFolder, truth: VicasTruth, id: str) -> VideoRows:
        problems = Problems()
        rows: tuple[ExpressionRow, ...] = ()
        digest, reference = "", truth.paths[id]
        video = truth.video(id, problems)
        content = read_content(submission.folder / f"{id}.json", problems, self.official)
        if video is not None and content is not None:
            value, data = content
            digest = digest_of(data)
            reader = MaskReader(video, id, f"{id}.json", problems, self.official)
            tracks = reader.tracks(value, submission.wanted[id])
            true = _true_tracks(video, submission.wanted[id], reference.name, problems)
            rows = tuple(self._rows(tracks, true, video, id, problems)) if true is not None else ()
        return VideoRows(
            id=id,
            digest=digest,
            reference_digest=digest_of(reference.read_bytes()) if video is not None else "",
            problems=tuple(problems),
            rows=rows,
        )

    def _rows(
        self,
        tracks: Mapping[int, Sequence[Track] | None],
        true: Mapping[int, Sequence[Mask]],
        video: Video,
        id: str,
        problems: Problems,
    ) -> Iterator[ExpressionRow]:
        """The rows of the expressions that could be read; all masks of a frame are compared in one call."""
        empty = empty_mask(video.image_size)
        every = [track for found in tracks.values() for track in found or ()]
        shared, either = overlaps(every, list(true.values()), empty)
        column = {track: place for place, track in enumerate(true)}
        first = 0
        for number, found in tracks.items():
            if found is None:
                continue
            targets = video.object_referrals[number].track_ids
            part = np.ix_(range(first, first + len(found)), [column[target] for target in targets])
            first += len(found)
            self._remark(found, ious(shared[part], either[part]), empty, f"{id}/{number}", problems)
            regions = _regions(found, [true[target] for target in targets], empty) if self.regions else (None, None)
            counts = _nested(shared[part]), _nested(either[part])
            yield ExpressionRow(number, len(found), len(targets), *counts, *regions)

    def _remark(self, found: Sequence[Track], iou: Any, empty: Mask, item: str, problems: Problems) -> None:
        """Write down objects without a pixel, and what stops the official evaluator."""
        name, number = parts(item)
        file, where = f"{name}.json", f"/pred_lgvis_masks/{number}"
        for place, track in enumerate(found):
            if all(one is not None and one["counts"] == empty["counts"] for one in track):
                message = f"object {place} has no pixel in any scored frame"
                fix = "It counts as a false answer; leave it out, in all frames."
                problems.add("SUB_MASKS_EMPTY", message, severity="warning", file=file, where=where, item=item, fix=fix)
        if self.official:
            try:
                match(iou, len(found), self.order)
            except TooManyTracks:
                message = "more than ten objects, and a target is left over: the official evaluator stops (IndexError)"
                fix = "Keep the ten that are surest."
                problems.add("SUB_OFFICIAL_REFUSED", message, file=file, where=where, item=item, fix=fix)


def _true_tracks(video: Video, wanted: Sequence[int], file: str, problems: Problems) -> dict[int, list[Mask]] | None:
    """Track id → its masks in the scored frames, for the tracks that `wanted` expressions mean; None with errors."""
    size, pixels = list(video.image_size), video.image_size[0] * video.image_size[1]
    fix = "Run `vismark validate` on the annotations."
    masks: list[dict[int, Mask]] = []
    for frame in video.scored:
        try:
            masks.append(frame.masks)
        except (msgspec.DecodeError, ValueError) as error:
            problems.add("REF_MASKS", f"frame {frame.filename}: {error}", file=file, item=file[:6], fix=fix)
            continue
        for id, mask in masks[-1].items():
            if mask.get("size") != size or not is_sound(mask.get("counts"), pixels):
                message = f"frame {frame.filename}, track {id}: the mask does not fill {size} (height, width)"
                problems.add("REF_MASKS", message, file=file, item=file[:6], fix=fix)
    if not video.scored:
        message = "no frame has human masks (is_gt), so nothing can be scored"
        problems.add("REF_NO_FRAMES", message, file=file, item=file[:6], fix=fix)
    known = set(video.all_track_ids) or set().union(*masks)
    for number, one in enumerate(video.object_referrals):
        if unknown := sorted(set(one.track_ids) - known):
            message = f"expression {number} means tracks {unknown}, which are not there, and can never be matched"
            problems.add("REF_TRACK_UNKNOWN", message, file=file, item=f"{file[:6]}/{number}", fix=fix)
    if problems.totals.keys() & {"REF_MASKS", "REF_NO_FRAMES"}:
        return None
    empty = empty_mask(video.image_size)
    meant = dict.fromkeys(id for number in wanted for id in video.object_referrals[number].track_ids)
    return {id: [one.get(id, empty) for one in masks] for id in meant}


def _regions(predicted: Sequence[Track], true: Sequence[Sequence[Mask]], empty: Mask) -> tuple[float, float]:
    """J and F of the united tracks, means over frames."""
    frames = len((*predicted, *true)[0]) if predicted or true else 0
    pairs = [
        (united([t[n] or empty for t in predicted], empty), united([t[n] for t in true], empty)) for n in range(frames)
    ]
    if not pairs:
        return 1.0, 1.0
    return (
        float(np.mean([jaccard(*pair) for pair in pairs])),
        float(np.mean([contour_accuracy(*pair) for pair in pairs])),
    )


def _nested(values: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, values.tolist()))
