"""Writing grounded captions: what may be written, the line of an image, the file of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats.grounded import FOLDER, NAME
from vismark.formats.panoptic import PanopticTruth, PredictedSegment, encode_ids, prediction_problems
from vismark.formats.tags import parse, tagged
from vismark.problems import Problems, Refused, refuse
from vismark.runtime.atomic import write_bytes
from vismark.tasks import GroundedCaption, GroundedText


class GroundedEntry(msgspec.Struct, frozen=True):
    """A line of ``predictions.jsonl``."""

    image_id: int
    file_name: str
    caption: str
    segments_info: tuple[PredictedSegment, ...]


def span_problems(prediction: GroundedText, item: str) -> Problems:
    """What is wrong with the text and the spans of a prediction before it is written."""
    problems = Problems()
    text, spans = prediction.text, prediction.spans
    listed, end = {segment.id for segment in prediction.panoptic.segments}, 0

    def add(message: str, fix: str, value: object = "") -> None:
        problems.add("PREDICTION_SPANS", message, item=item, value=value, fix=fix)

    for span in spans:
        if not end <= span.start < span.stop <= len(text):
            add("spans lie outside the text, overlap or are not in order", "Sort them; 0 ≤ start < stop.", span)
            return problems
        if not span.segments or not set(span.segments) <= listed:
            add("a span names no segment, or one that the map does not have", "Name ids of `panoptic`.", span.segments)
        end = span.stop
    if any("\ud800" <= character <= "\udfff" for character in text):
        add("the text holds half of a surrogate pair", "Write whole characters.")
    if problems.errors:
        return problems
    read = parse(tagged(text, spans))
    phrases = [(" ".join(text[s.start : s.stop].split()), s.segments) for s in spans]
    if [(tag.phrase, tag.numbers) for tag in read.tags] != phrases or read.plain != " ".join(text.split()):
        add("the text could not be read back: it holds < or >, or a phrase is blank", "Write plain words.", text)
    return problems


def write_lines(path: Path, entries: Sequence[GroundedEntry]) -> None:
    """Write ``predictions.jsonl``, atomically."""
    write_bytes(path, b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))


class GroundedWriter:
    """Writes a grounded submission image by image."""

    entry = GroundedEntry

    def __init__(self, path: Path, truth: PanopticTruth) -> None:
        self.path = path
        self.truth = truth

    def write(self, request: GroundedCaption, prediction: Any) -> GroundedEntry:
        """Write the PNG of one prediction and return its line.

        Raises:
            Refused: text, spans and map do not agree with one another or with the image.
        """
        if not isinstance(prediction, GroundedText) or not isinstance(prediction.text, str):
            message = f"an answer here is a vismark.tasks.GroundedText, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        size = (request.image.height, request.image.width)
        problems = prediction_problems(prediction.panoptic, size, self.truth.categories, request.id)
        problems.extend(span_problems(prediction, request.id))
        if problems.errors:
            raise Refused(problems)
        name = f"{request.id}.png"
        write_bytes(self.path / FOLDER / name, encode_ids(prediction.panoptic.ids))
        segments = tuple(PredictedSegment(one.id, one.category) for one in prediction.panoptic.segments)
        caption = tagged(prediction.text, prediction.spans)
        return GroundedEntry(self.truth.annotations[request.id].image_id, name, caption, segments)

    def finish(self, entries: Sequence[GroundedEntry]) -> None:
        """Write the lines of all images, which are in the protocol's order."""
        write_lines(self.path / NAME, entries)
