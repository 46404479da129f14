"""Detections files: what was found in each picture of a GenEval submission, by whatever detector.

JSON lines, plain or gzip. The first may be a header that names the detector and the colour classifier; each other line
is a picture with its objects. Boxes and scores are float32 values; others are rounded to float32 on reading.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from vismark.formats.geneval import COLOURS, Found, Prompt
from vismark.formats.rle import Rle, RleFault, checked_runs
from vismark.problems import Problems
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of

FORMAT = "vismark.geneval.detections"

# Unpacked bytes; 2,212 pictures with all masks of a detector have a tenth of this.
_LIMIT = 1 << 30
_LINE = 64 << 20
# A box this many picture sizes away was meant for something else.
_FAR = 4


class Header(msgspec.Struct, frozen=True):
    """Who found the objects.

    Attributes:
        detector, colour: identity of the instruments: name, version, digest of the weights, whatever distinguishes.
        floor: objects with a lower score were left out.
    """

    format: str = FORMAT
    version: int = 1
    detector: dict[str, Any] = {}
    colour: dict[str, Any] = {}
    floor: float = 0.0


class Detected(msgspec.Struct, frozen=True):
    """The objects of a picture.

    Attributes:
        image: path relative to the folder of the pictures, e.g. ``00179/samples/00002.png``.
        prompt_index: number of the prompt, which is the number of the folder.
        sample_index: number of the picture of that prompt.
        width, height: in pixels, after the rotation that EXIF states.
    """

    image: str
    prompt_index: int
    sample_index: int
    width: int
    height: int
    detections: tuple[Found, ...]


@dataclass(frozen=True)
class DetectionsFile:
    """A detections file that was read: its header, and its pictures by (prompt, sample)."""

    header: Header
    pictures: Mapping[tuple[int, int], Detected]
    digest: str


def is_detections(path: Path) -> bool:
    """Whether a submission is such a file, by its name."""
    return path.name.endswith((".jsonl", ".jsonl.gz"))


def read_detections(
    path: Path, prompts: Sequence[Prompt], classes: Sequence[str], problems: Problems
) -> DetectionsFile | None:
    """Read and check a detections file; None when it cannot be read at all. Every fault is in `problems`."""
    data = _read(path, problems)
    if data is None:
        return None
    header, found, known = Header(), {}, frozenset(classes)
    images: set[str] = set()
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        check = _Check(problems, path.name, f"line {number}")
        if number == 1 and b'"format"' in line[:200]:
            header = check.header(line) or header
            continue
        picture = check.picture(line, prompts, known)
        if picture is None:
            continue
        key = (picture.prompt_index, picture.sample_index)
        if key in found or picture.image in images:
            check.error("GENEVAL_DET_TWICE", "the picture is listed twice", "Keep one line a picture.", picture.image)
        found[key] = picture
        images.add(picture.image)
    if not found and not problems.errors:
        _Check(problems, path.name, "").error("GENEVAL_DET_EMPTY", "there is no picture in it", "Detect again.")
    return DetectionsFile(header, dict(sorted(found.items())), digest_of(data))


def write_detections(path: Path, header: Header, pictures: Iterable[Detected]) -> None:
    """Write a detections file, compressed when the name ends in ``.gz``; the same input gives the same bytes."""
    encode = msgspec.json.Encoder().encode
    data = b"".join(encode(one) + b"\n" for one in (header, *pictures))
    write_bytes(path, gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)


class _Check:
    """Checks one line; findings carry its place."""

    def __init__(self, problems: Problems, file: str, where: str) -> None:
        self.problems = problems
        self.file = file
        self.where = where

    def error(self, code: str, message: str, fix: str, item: str = "", value: Any = "", where: str = "") -> None:
        place = f"{self.where} {where}".strip()
        self.problems.add(code, message, fix=fix, file=self.file, where=place, item=item, value=value)

    def header(self, line: bytes) -> Header | None:
        try:
            header = msgspec.json.decode(line, type=Header)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.error("GENEVAL_DET_HEADER", f"is no header: {error}", f'Write {{"format": "{FORMAT}", "version": 1}}.')
            return None
        if (header.format, header.version) != (FORMAT, 1):
            message = f"the format is {header.format!r} version {header.version}, not {FORMAT!r} version 1"
            self.error("GENEVAL_DET_HEADER", message, "Is this the right file?")
        return header

    def picture(self, line: bytes, prompts: Sequence[Prompt], classes: frozenset[str]) -> Detected | None:
        try:
            one = msgspec.json.decode(line, type=Detected)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            nan = (
                " NaN and Infinity are no JSON: write finite numbers." if b"NaN" in line or b"Infinity" in line else ""
            )
            fix = f"Write image, prompt_index, sample_index, width, height and detections.{nan}"
            self.error("GENEVAL_DET_FORMAT", f"is no picture: {error}", fix)
            return None
        if not 0 <= one.prompt_index < len(prompts):
            message = f"there is no prompt {one.prompt_index}; they are 0 … {len(prompts) - 1}"
            self.error("GENEVAL_DET_PROMPT", message, "Use the line number in the official file, from 0.", one.image)
            return None
        if one.sample_index < 0 or one.width < 1 or one.height < 1:
            message = f"sample {one.sample_index} of {one.width}×{one.height} pixels cannot be"
            self.error("GENEVAL_DET_SIZE", message, "Samples count from 0; sizes are those of the picture.", one.image)
            return None
        whole = [self.found(found, one, number, classes) for number, found in enumerate(one.detections)]
        return msgspec.structs.replace(one, detections=tuple(found for found in whole if found is not None))

    def found(self, one: Found, picture: Detected, number: int, classes: frozenset[str]) -> Found | None:
        """The object with float32 numbers, or None with errors."""
        before, place = self.problems.errors, f"/detections/{number}"
        if one.category not in classes:
            fix = "Map the detector's classes to GenEval's object_names.txt by index, not by name."
            message = f"the class {one.category!r} is unknown"
            self.error("GENEVAL_DET_CLASS", message, fix, picture.image, one.category, place)
        self.box(one, picture, place)
        if not 0 <= one.score <= 1:
            fix = "Scores are confidences between 0 and 1."
            self.error("GENEVAL_DET_SCORE", "the score is no number in 0 … 1", fix, picture.image, one.score, place)
        self.colour(one, picture, place)
        if one.mask is not None:
            self.mask(one, picture, place)
        if self.problems.errors > before:
            return None
        *box, score = struct.unpack("5f", struct.pack("5f", *one.box, one.score))
        if (*box, score) == (*one.box, one.score):
            return one
        return msgspec.structs.replace(one, box=tuple(box), score=score)

    def box(self, one: Found, picture: Detected, place: str) -> None:
        """Boxes outside are wrong; boxes over the edge, which unclipped detectors make, are scored as they are."""
        left, top, right, bottom = one.box
        fix = "Boxes are left, top, right, bottom in pixels of the picture; clip them to it."
        size = f"the picture of {picture.width}×{picture.height}"
        if not (left <= right and top <= bottom and left < picture.width and top < picture.height):
            self.error("GENEVAL_DET_BOX", f"the box is no box in {size}", fix, picture.image, list(one.box), place)
        elif right < 0 or bottom < 0 or max(map(abs, one.box)) > _FAR * max(picture.width, picture.height):
            self.error("GENEVAL_DET_BOX", f"the box lies outside {size}", fix, picture.image, list(one.box), place)
        elif left < 0 or top < 0 or right > picture.width or bottom > picture.height:
            self.problems.add(
                "GENEVAL_DET_EDGE",
                f"the box reaches over the edge of {size}",
                severity="warning",
                fix=fix,
                file=self.file,
                where=f"{self.where} {place}",
                item=picture.image,
                value=list(one.box),
            )

    def colour(self, one: Found, picture: Detected, place: str) -> None:
        if one.color is not UNSET and one.color is not None and one.color not in COLOURS:
            fix = f"Colours are {', '.join(COLOURS)}."
            message = f"the colour {one.color!r} is unknown"
            self.error("GENEVAL_DET_COLOR", message, fix, picture.image, one.color, place)
        elif one.color_logits is not None:
            logits = one.color_logits
            if len(logits) != len(COLOURS) or not all(map(math.isfinite, logits)):
                message, fix = "the colour logits are not ten finite numbers", "Write one for each colour, in order."
                self.error("GENEVAL_DET_LOGITS", message, fix, picture.image, list(logits)[:12], place)
            elif one.color != COLOURS[logits.index(max(logits))]:
                message = (
                    f"the colour is {one.color}, the largest logit is that of {COLOURS[logits.index(max(logits))]}"
                )
                self.error(
                    "GENEVAL_DET_LOGITS", message, "Write the colour of the largest logit.", picture.image, "", place
                )

    def mask(self, one: Found, picture: Detected, place: str) -> None:
        assert one.mask is not None
        try:
            checked_runs(Rle(list(one.mask.size), one.mask.counts), (picture.height, picture.width))
        except RleFault as fault:
            self.error("GENEVAL_DET_MASK", f"the mask is wrong: {fault}", fault.fix, picture.image, "", place)


def _read(path: Path, problems: Problems) -> bytes | None:
    """The bytes, unpacked up to the limit; None with an error."""
    fix = "Write JSON lines, plain or packed with gzip."
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        problems.add("GENEVAL_DET_FILE", f"cannot be read: {error}", file=path.name, fix=fix)
        return None
    if len(data) > _LIMIT or max(map(len, data.split(b"\n")), default=0) > _LINE:
        problems.add("GENEVAL_DET_FILE", f"has more than {_LIMIT:,} bytes", file=path.name, fix="Leave out the masks.")
        return None
    return data
