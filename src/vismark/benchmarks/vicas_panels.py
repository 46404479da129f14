"""Videos with their captions: a frame with its tracks, the phrases of the reference in the colours of the tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vismark.benchmarks.panels import Gallery, Piece, Sample, Told, View
from vismark.benchmarks.vicas_truth import VicasTruth
from vismark.formats.mask_phrases import CROWD, PhraseFault, parse_caption
from vismark.formats.rle import from_string, is_sound, pixels_of
from vismark.formats.vicas import Frame, Video
from vismark.problems import Problems, Refused
from vismark.tasks import Category, Panoptic, Picture, Segment

# Colours of tracks; further ones begin again.
_TRACKS = tuple(Category(number, f"track {number}") for number in range(24))
_REFERENCE = "reference"


def captioned(title: str, truth: VicasTruth, worst: Sequence[tuple[str, str]], captions: Mapping[str, str]) -> Gallery:
    """The videos named in `worst` (name, note), each at the scored frame with the most tracks; predicted `captions`."""
    note = "The scored frame with the most tracks; phrases of the reference have the colours of the tracks they mean."
    return Gallery(title, note, _Videos(truth, worst, captions), _TRACKS)


@dataclass(frozen=True)
class _Videos(Sequence[Sample]):
    """The samples, read when they are drawn."""

    truth: VicasTruth
    worst: Sequence[tuple[str, str]]
    captions: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.worst)

    def __getitem__(self, index: Any) -> Any:
        name, note = self.worst[index]
        problems = Problems()
        video = self.truth.video(name, problems)
        if video is None:
            raise Refused(problems)
        frame = max(video.scored, key=lambda one: len(one.track_ids), default=None)
        frames = self.truth.footage.of(name, video)
        path = frames.folder / frame.filename if frames.folder and frame else None
        view = View(_REFERENCE, _panoptic(video, frame))
        texts = [Told(_REFERENCE, _pieces(video))]
        if name in self.captions:
            texts.append(Told("prediction", (Piece(self.captions[name]),)))
        return Sample(name, note, Picture(path, *video.image_size), (view,), tuple(texts))


def _panoptic(video: Video, frame: Frame | None) -> Panoptic:
    """The tracks of a frame as a map: ids are tracks + 1, later tracks cover earlier ones."""
    ids = np.zeros(video.image_size, np.uint32)
    masks = frame.masks if frame else {}
    for track, mask in sorted(masks.items()):
        if mask.get("size") == list(video.image_size) and is_sound(mask.get("counts"), ids.size):
            ids[pixels_of(from_string(mask["counts"]), video.image_size)] = track + 1
    there = set(np.unique(ids).tolist()) - {0}
    return Panoptic(ids, tuple(Segment(id, (id - 1) % len(_TRACKS)) for id in sorted(there)))


def _pieces(video: Video) -> tuple[Piece, ...]:
    """The language-cleaned caption, cut at its phrases."""
    try:
        caption = parse_caption(video.caption_raw_en_gpt)
    except PhraseFault:
        return (Piece(video.caption_parsed_en_gpt),)
    found, at = [], 0
    for phrase in caption.phrases:
        if phrase.start < 0:
            continue
        found.append(Piece(caption.parsed[at : phrase.start]))
        named = tuple(id + 1 for id in phrase.ids if id != CROWD)
        found.append(Piece(phrase.phrase, named))
        at = phrase.end + 1
    return (*found, Piece(caption.parsed[at:]))
