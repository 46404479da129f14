"""Loads COCONut-PanCap: joins captions (a text file an image) with COCONut's panoptic masks, phrase by phrase.

What a number in a tag means was never stated. The paper's figures number regions from 0 with stuff first, COCONut's
ids run from 1 in that order, so a number is taken as the position in `segments_info`; `decide` looks at all captions
and says which reading fits, and the decision is part of the data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from vismark.datasets.coconut_pancap.holdout import held_out
from vismark.formats.panoptic import PanopticTruth, TrueSegment, read_truth
from vismark.formats.strict_json import read_bytes
from vismark.formats.tags import Grounded, parse
from vismark.problems import Problems, Refused
from vismark.runtime.progress import Bar

Base = Literal["position", "segment_id"]

# Bytes; captions of the release have about 1,200.
LONGEST = 1 << 20


class Phrase(msgspec.Struct, frozen=True):
    """A grounded phrase: its text and place in `caption_plain`, and the segments it names.

    `segment_ids` and `category_ids` have an entry for each number that names a segment; one out of range has none.
    """

    text: str
    start: int
    stop: int
    numbers: tuple[int, ...]
    segment_ids: tuple[int, ...]
    category_ids: tuple[int, ...]


class GroundedRecord(msgspec.Struct, frozen=True):
    """One image: its caption with and without tags, its phrases, its segments, and its PNG of ids."""

    image_id: int
    id: str
    caption_raw: str
    caption_plain: str
    phrases: tuple[Phrase, ...]
    segments: tuple[TrueSegment, ...]
    mask: Path


class Decision(msgspec.Struct, frozen=True):
    """Which reading of the numbers was chosen, and the share of captions with a number out of range under each."""

    base: Base
    out_of_range: dict[str, float]
    captions: int

    def __str__(self) -> str:
        shares = ", ".join(f"{share:.2%} read as {name}" for name, share in self.out_of_range.items())
        return f"numbers in the true tags are read as {self.base}; captions with a number out of range: {shares or '?'}"


@dataclass(frozen=True)
class PanCap(Sequence[GroundedRecord]):
    """The data set: records made when they are asked for, in the order of the panoptic file."""

    truth: PanopticTruth
    captions: Mapping[str, Path]
    decision: Decision

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The samples that have a caption and masks."""
        return tuple(id for id in self.truth.annotations if id in self.captions)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> GroundedRecord:  # type: ignore[override]
        return self.record(self.ids[index])

    def record(self, id: str) -> GroundedRecord:
        """The record of one sample."""
        annotation = self.truth.annotations[id]
        raw = self.captions[id].read_text(encoding="utf-8")
        grounded = parse(raw)
        return GroundedRecord(
            image_id=annotation.image_id,
            id=id,
            caption_raw=raw,
            caption_plain=grounded.plain,
            phrases=tuple(_phrases(grounded, annotation.segments_info, self.decision.base)),
            segments=annotation.segments_info,
            mask=self.truth.folder / annotation.file_name,
        )


def caption_files(folder: Path, settings: Mapping[str, Any] | None = None) -> dict[str, Path]:
    """The captions in a folder, ``<stem>.txt``, by stem; with the setting `holdout` only those that are held out."""
    files = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    one_in = (settings or {}).get("holdout")
    return files if one_in is None else {id: path for id, path in files.items() if held_out(id, one_in)}


def read_caption(path: Path, problems: Problems) -> str | None:
    """The text of a caption, or None with the reason in `problems`."""
    data = read_bytes(path, problems, file=path.name, limit=LONGEST)
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        where = f"byte {error.start}"
        problems.add("CAPTION_ENCODING", "is no UTF-8", file=path.name, item=path.stem, where=where, fix="Save it so.")
        return None


def load(
    captions: Path,
    panoptic: Path,
    masks: Path | None = None,
    *,
    base: Base | None = None,
    settings: Mapping[str, Any] | None = None,
) -> PanCap:
    """Load captions and their masks.

    Args:
        captions: folder of ``<stem>.txt`` files, in UTF-8.
        panoptic: COCO panoptic JSON of COCONut.
        masks: folder of its PNGs; by default beside the JSON.
        base: how numbers are read; by default decided from all captions.
        settings: `holdout`: only the captions that are held out, one in so many.

    Raises:
        Refused: the panoptic file cannot be read, or no caption belongs to it.
    """
    problems = Problems()
    truth = read_truth(panoptic, masks, None, problems)
    if truth is None:
        raise Refused(problems)
    files = caption_files(captions, settings)
    if not files.keys() & truth.annotations.keys():
        message = f"none of the {len(files)} captions has the name of an image in {panoptic.name}"
        problems.add("CAPTION_FILE_UNPAIRED", message, file=captions.name, fix="Captions are named like the PNGs.")
        raise Refused(problems)
    return PanCap(truth, files, decide(truth, files) if base is None else Decision(base, {}, 0))


def decide(truth: PanopticTruth, captions: Mapping[str, Path]) -> Decision:
    """Decide once for a data set whether numbers are positions (from 0) or segment ids.

    Any 0 means positions; otherwise the reading with fewer captions out of range, positions on a tie.
    """
    outside = {"position": 0, "segment_id": 0}
    total, zero = 0, False
    ids = [id for id in truth.annotations if id in captions]
    with Bar("reading captions", len(ids)) as bar:
        for id in ids:
            segments = truth.annotations[id].segments_info
            numbers = {number for tag in parse(_lenient(captions[id])).tags for number in tag.numbers}
            zero = zero or 0 in numbers
            outside["position"] += any(n >= len(segments) for n in numbers)
            outside["segment_id"] += not numbers <= {segment.id for segment in segments}
            total += 1
            bar.advance()
    base: Base = "segment_id" if not zero and outside["segment_id"] < outside["position"] else "position"
    return Decision(base, {name: count / total if total else 0.0 for name, count in outside.items()}, total)


def _lenient(path: Path) -> str:
    """The text of a caption whatever its encoding; "" where it is too long to be one."""
    return path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size <= LONGEST else ""


def _phrases(grounded: Grounded, segments: Sequence[TrueSegment], base: Base) -> Iterator[Phrase]:
    named = dict(enumerate(segments)) if base == "position" else {segment.id: segment for segment in segments}
    for tag in grounded.tags:
        found = [named[number] for number in tag.numbers if number in named]
        yield Phrase(
            text=tag.phrase,
            start=tag.start,
            stop=tag.stop,
            numbers=tag.numbers,
            segment_ids=tuple(segment.id for segment in found),
            category_ids=tuple(segment.category_id for segment in found),
        )
