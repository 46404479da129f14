"""Small ViCaS videos and predictions for tests, and plain twins of the official evaluator (github.com/Ali2500/ViCaS).

`decoded` is its arithmetic on decoded masks; `merged` is its own way, compressed masks merged pair by pair.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

Masks = NDArray[np.bool_]
Json = dict[str, Any]


def rle(mask: Masks) -> Json:
    """A mask as it stands in a file."""
    return {"size": list(mask.shape), "counts": coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()}


def annotation(id: int, tracks: Masks, expressions: list[list[int]], scored: list[bool] | None = None) -> Json:
    """An annotation whose masks are `tracks` (bool of shape (tracks, frames, height, width))."""
    _, frames, height, width = tracks.shape
    flags = scored or [True] * frames
    segmentations = []
    for frame in range(frames):
        present = [number for number, track in enumerate(tracks) if track[frame].any()]
        segmentations.append(
            {
                "filename": f"{frame:05d}.jpg",
                "is_gt": flags[frame],
                "track_ids": present,
                "mask_rles": [rle(tracks[number, frame]) for number in present],
            }
        )
    raw = "Two [kids]<mask_0, 1> jump."
    return {
        "video_id": id,
        "src_dataset": "oops",
        "filename": f"{id:06d}_test.mp4",
        "image_size": [height, width],
        "caption_raw_en": raw,
        "caption_parsed_en": "Two kids jump.",
        "caption_raw_en_gpt": raw,
        "caption_parsed_en_gpt": "Two kids jump.",
        "caption_raw_cn": raw,
        "reworded_en_captions": ["A pair of children jumps."],
        "object_referrals": [
            {"prompt": f"expression {number}", "track_ids": ids} for number, ids in enumerate(expressions)
        ],
        "segmentations": segmentations,
        "all_track_ids": list(range(len(tracks))),
    }


def prediction(id: int, answers: list[Masks], scored: list[bool] | None = None) -> Json:
    """A prediction; `answers` has bool of shape (objects, frames, height, width) for each expression."""
    return {
        "video_id": id,
        "pred_caption": "Children jump.",
        "pred_lgvis_masks": [
            [
                {"filename": f"{frame:05d}.jpg", "mask_rles": [rle(track[frame]) for track in objects]}
                for frame in range(objects.shape[1])
                if scored is None or scored[frame]
            ]
            for objects in answers
        ],
    }


@dataclass
class Pair:
    """A video on disk that a test may spoil: annotation and prediction as JSON, written by `write`."""

    folder: Path
    truth: Json
    found: Json
    name: str = "000007"

    @property
    def references(self) -> dict[str, Path]:
        return {"annotations": self.folder / "annotations", "split": self.folder / "val.json"}

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    def write(self) -> Pair:
        for kind, value in (("annotations", self.truth), ("predictions", self.found)):
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
            (self.folder / kind / f"{self.name}.json").write_text(json.dumps(value))
        (self.folder / "val.json").write_text(json.dumps([int(self.name)]))
        return self


def blobs(random: np.random.Generator, tracks: int, frames: int, size: tuple[int, int]) -> Masks:
    """Boxes that move a little from frame to frame; about one in eight masks is empty."""
    height, width = size
    found = np.zeros((tracks, frames, height, width), np.bool_)
    for track in found:
        top, left = random.integers(0, height), random.integers(0, width)
        tall, wide = random.integers(1, height + 1), random.integers(1, width + 1)
        for frame in track:
            if random.random() < 0.125:
                continue
            down, right = top + random.integers(-1, 2), left + random.integers(-1, 2)
            frame[max(0, down) : max(0, down + tall), max(0, right) : max(0, right + wide)] = True
    return found


def pair(folder: Path, seed: int = 3) -> Pair:
    """The video of the official error cases: two scored frames, an expression with one target and one with two."""
    random = np.random.default_rng(seed)
    true = blobs(random, 2, 3, (12, 16))
    true[:, [0, 2], 2:6, 3:9] = True
    scored = [True, False, True]
    answers = [true[:1], true]
    return Pair(folder, annotation(7, true, [[0], [0, 1]], scored), prediction(7, answers, scored)).write()


# The official evaluator, after commit 3d10993


def decoded(predicted: Masks, true: Masks) -> NDArray[np.float32]:
    """Track IoUs from decoded masks, both bool of shape (tracks, frames, height, width)."""
    found = np.zeros((len(predicted), len(true)), np.float32)
    for i, one in enumerate(predicted):
        for j, other in enumerate(true):
            union = (one | other).sum()
            found[i, j] = (one & other).sum() / union if union else 0.0
    return found


def merged(predicted: list[list[Json]], true: list[list[Json]]) -> NDArray[np.float32]:
    """Track IoUs as `compute_track_ious`: compressed masks, merged pair by pair."""
    found = np.zeros((len(predicted), len(true)), np.float32)
    for i, one in enumerate(predicted):
        for j, other in enumerate(true):
            both = either = 0.0
            for first, second in zip(one, other, strict=True):
                both += coco.area(coco.merge([first, second], True))
                either += coco.area(coco.merge([first, second], False))
            found[i, j] = both / either if either > 0 else 0.0
    return found


def assignment(ious: NDArray[np.float32], columns: int) -> NDArray[np.int32]:
    """`TrackMAP.process_video`: no break after a match, so the last free target that passes stays."""
    thresholds = np.arange(0.5, 0.95 + 1e-4, 0.05)
    matches = np.full((len(thresholds), columns), -1, np.int32)
    if not columns or not ious.shape[1]:
        return matches
    for level, threshold in enumerate(thresholds):
        for i in range(columns):
            for j in range(ious.shape[1]):
                if j in matches[level]:
                    continue
                if ious[i, j] >= threshold:
                    matches[level, i] = j
    return matches


def pooled(matches: NDArray[np.int32], scores: int, targets: int, order: NDArray[np.intp]) -> dict[str, float]:
    """`TrackMAP.combine_video_results` over the columns of all expressions, taken in `order`."""
    assert len(order) == scores
    chosen = np.stack([row[order] for row in matches])
    true = np.cumsum((chosen != -1).astype(np.float32), 1)
    false = np.cumsum((chosen == -1).astype(np.float32), 1)
    precision, recall = true / (true + false + 1e-8), true / float(targets)
    edge = np.zeros_like(precision[:, :1])
    precision = np.concatenate([edge, precision, edge], 1)
    recall = np.concatenate([edge, recall, np.ones_like(edge)], 1)
    aps = np.zeros(len(matches), np.float32)
    for level, (heights, places) in enumerate(zip(precision, recall, strict=True)):
        for i in range(len(heights) - 1, 0, -1):
            heights[i - 1] = np.maximum(heights[i - 1], heights[i])
        steps = np.where(places[1:] != places[:-1])[0]
        aps[level] = np.sum((places[steps + 1] - places[steps]) * heights[steps + 1])
    aps = aps * 100.0
    return {"mAP": float(np.mean(aps)), "AP@50": float(aps[0]), "AP@75": float(aps[5]), "AP@90": float(aps[8])}
