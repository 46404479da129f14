"""Writes answers to expressions in the form of ViCaS: one JSON file a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vismark.benchmarks.vicas_truth import VicasTruth, parts
from vismark.formats.lgvis import encode_video
from vismark.formats.rle import Rle, RleFault, checked_runs
from vismark.problems import Problems, Refused, refuse
from vismark.runtime.atomic import write_bytes
from vismark.tasks import RLE, Tracks, VideoSegment


class LgvisWriter:
    """Collects the answers to the expressions of a video into its file."""

    entry = dict

    def __init__(self, path: Path, truth: VicasTruth) -> None:
        self.path = path
        self.truth = truth

    def write(self, request: VideoSegment, prediction: Any) -> dict[str, Any]:
        """The frames of one expression, as they stand in the file.

        Raises:
            Refused: there are too many objects, or a mask does not fill its frame; all are listed.
        """
        if not isinstance(prediction, Tracks):
            message = f"a prediction is a vismark.tasks.Tracks, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        problems = prediction_problems(prediction, request)
        if problems.errors:
            raise Refused(problems)
        frames = [
            {"filename": name, "mask_rles": [as_json(track[place]) for track in prediction.masks]}
            for place, name in enumerate(request.frames)
        ]
        return {"id": request.id, "frames": frames}

    def finish(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write a file a video; expressions that were not asked have an entry without objects."""
        found: dict[str, dict[int, Any]] = {}
        for entry in entries:
            name, number = parts(entry["id"])
            found.setdefault(name, {})[number] = entry["frames"]
        for name, answers in found.items():
            outline = self.truth.outlines[name]
            nothing = [{"filename": one, "mask_rles": []} for one in outline.scored]
            every = [answers.get(number, nothing) for number in range(len(outline.expressions))]
            write_bytes(self.path / f"{name}.json", encode_video(int(name), None, every))


def prediction_problems(prediction: Tracks, request: VideoSegment) -> Problems:
    """What is wrong with the answer to an expression before it is written."""
    problems = Problems()
    size, item = (request.video.height, request.video.width), request.id
    if len(prediction.masks) > request.most:
        message = f"{len(prediction.masks)} objects; at the most {request.most} may be answered"
        problems.add("PREDICTION_OBJECTS", message, item=item, fix="Keep those that are surest.")
    for number, track in enumerate(prediction.masks):
        if len(track) != len(request.frames):
            message = f"object {number} has {len(track)} masks for {len(request.frames)} frames"
            problems.add(
                "PREDICTION_FRAMES", message, item=item, fix="One mask a frame, an empty one where it is absent."
            )
        for frame, mask in zip(request.frames, track, strict=False):
            try:
                checked_runs(Rle(list(mask.size), mask.counts.decode("ascii", "replace")), size)
            except RleFault as fault:
                message = f"object {number}, frame {frame}: {fault}"
                problems.add("PREDICTION_MASK", message, item=item, fix=fault.fix)
    return problems


def as_json(mask: RLE) -> dict[str, Any]:
    """A mask as it stands in a file."""
    return {"size": list(mask.size), "counts": mask.counts.decode("ascii")}


def as_rle(mask: Mapping[str, Any]) -> RLE:
    """A mask from a file."""
    height, width = mask["size"]
    return RLE((height, width), mask["counts"].encode())
