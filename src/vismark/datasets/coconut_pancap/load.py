"""Loads COCONut-PanCap: joins captions (a text file an image) with COCONut's panoptic masks, phrase by phrase.

What a number in a tag means was never stated. The paper's figures number regions from 0 with stuff first, COCONut's
ids run from 1 in that order, so a number is taken as the position in `segments_info`; `decide` looks at all captions
and says which reading fits, and the decision is part of the data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from vismark.formats.panoptic import PanopticTruth, TrueSegment, read_truth
from vismark.formats.tags import Grounded, parse
from vismark.problems import Problems, Refused
from vismark.runtime.progress import Bar

Base = Literal["position", "segment_id"]

# Captions of the release have about 1,200 characters.
_LONGEST = 1 << 20
_SHORT_WORDS = 30


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


@dataclass(frozen=True)
class PanCap(Sequence[GroundedRecord]):
    """The data set: records made when they are asked for, in the order of the panoptic file."""

    truth: PanopticTruth
    captions: Mapping[str, Path]
    decision: Decision

    @property
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


def load(captions: Path, panoptic: Path, masks: Path | None = None, *, base: Base | None = None) -> PanCap:
    """Load captions and their masks.

    Args:
        captions: folder of ``<stem>.txt`` files, in UTF-8.
        panoptic: COCO panoptic JSON of COCONut.
        masks: folder of its PNGs; by default beside the JSON.
        base: how numbers are read; by default decided from all captions.

    Raises:
        Refused: the panoptic file cannot be read, or no caption belongs to it.
    """
    problems = Problems()
    truth = read_truth(panoptic, masks, None, problems)
    if truth is None:
        raise Refused(problems)
    files = {path.stem: path for path in sorted(captions.glob("*.txt"))}
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
            numbers = {
                n for tag in parse(captions[id].read_text(encoding="utf-8", errors="replace")).tags for n in tag.numbers
            }
            zero = zero or 0 in numbers
            outside["position"] += any(n >= len(segments) for n in numbers)
            outside["segment_id"] += not numbers <= {segment.id for segment in segments}
            total += 1
            bar.advance()
    base: Base = "segment_id" if not zero and outside["segment_id"] < outside["position"] else "position"
    return Decision(base, {name: count / total if total else 0.0 for name, count in outside.items()}, total)


def check(data: PanCap, problems: Problems) -> None:
    """Every fault of the captions: unpaired files, text that is no UTF-8, and every break of the tag grammar."""
    for id in sorted(data.captions.keys() - data.truth.annotations.keys()):
        problems.add("CAPTION_FILE_UNPAIRED", f"{id}.txt has no masks", file=f"{id}.txt", item=id, fix="Remove it.")
    for id in sorted(data.truth.annotations.keys() - data.captions.keys()):
        message = "the image has masks but no caption"
        problems.add("CAPTION_FILE_UNPAIRED", message, file=f"{id}.png", item=id, fix=f"Add {id}.txt.")
    for id in data.ids:
        _check_caption(id, data, problems)


def _check_caption(id: str, data: PanCap, problems: Problems) -> None:
    file = f"{id}.txt"
    if data.captions[id].stat().st_size > _LONGEST:
        problems.add("CAPTION_LENGTH", f"has more than {_LONGEST:,} bytes", file=file, item=id, fix="Is it a caption?")
        return
    try:
        record = data.record(id)
    except UnicodeDecodeError as error:
        problems.add(
            "CAPTION_ENCODING", "is no UTF-8", file=file, item=id, where=f"byte {error.start}", fix="Save it as UTF-8."
        )
        return
    for finding in parse(record.caption_raw).findings:
        message = _MEANINGS[finding.code]
        where = f"character {finding.position}"
        problems.add(finding.code, message, severity="warning", file=file, item=id, where=where, fix="Mend the tag.")
    for phrase in record.phrases:
        if len(phrase.segment_ids) < len(phrase.numbers):
            message = (
                f"{list(phrase.numbers)} names a region that the image does not have ({len(record.segments)} regions)"
            )
            fix = f"Numbers are read as {data.decision.base}."
            problems.add("TAG_ID_OUT_OF_RANGE", message, file=file, item=id, value=phrase.text, fix=fix)
    if len(record.caption_plain.split()) < _SHORT_WORDS:
        message = f"the caption has fewer than {_SHORT_WORDS} words"
        problems.add("CAPTION_SHORT", message, severity="warning", file=file, item=id, fix="Is it whole?")


_MEANINGS = {
    "TAG_NONE": "no phrase is grounded",
    "TAG_STRAY_CLOSE": "a > without a <",
    "TAG_PHRASE_STARTS_WITH_DIGIT": "a phrase starts with a digit: was a comma meant before it?",
    "TAG_NESTED": "a tag inside a tag",
    "TAG_UNCLOSED": "a < without a >",
    "TAG_MALFORMED": "bad numbers or an empty phrase; the text is left as it is",
}


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
