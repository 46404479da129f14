"""What T2I-CompBench's scripts write and read: answers a picture, and what a detector found in it."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from vismark.formats import strict_json
from vismark.problems import Problems

# Column → where its script puts the answers, below the folder of the category.
PLACES = {
    "blip": "annotation_blip/vqa_result.json",
    "spatial": "labels/annotation_obj_detection_2d/vqa_result.json",
    "3d_spatial": "labels/annotation_obj_detection_3d/vqa_result.json",
    "numeracy": "annotation_num/vqa_result.json",
    "clip": "annotation_clip/vqa_result.json",
    "3_in_1": "annotation_3_in_1/vqa_result.json",
}
DETECTIONS = ("detections.jsonl", "detections.jsonl.gz")
_LIMIT = 1 << 30


class Answer(msgspec.Struct, frozen=True):
    """One entry of a ``vqa_result.json``; BLIP-VQA's answers are texts with four decimals."""

    question_id: int
    answer: float | str


class CompObject(msgspec.Struct, frozen=True):
    """A detected object: label, box (left, top, right, bottom in pixels of the detector's picture), score."""

    label: str
    box: tuple[float, float, float, float]
    score: float


class CompDetected(msgspec.Struct, frozen=True, omit_defaults=True):
    """The objects of a picture in the detector's order, the best first.

    Attributes:
        question_id: number of the picture in its category.
        prompt: that of the file name.
        width, height: of the picture that the boxes are in: 479 × 479 for UniDet and square pictures.
        detector: name of the detector, e.g. ``unidet-rs200``.
        depth: path of an 8 bit grey PNG of that size, larger is nearer, relative to the file; for 3d_spatial.
    """

    question_id: int
    prompt: str
    width: int
    height: int
    detections: tuple[CompObject, ...]
    detector: str = ""
    depth: str = ""
    image: str = ""


def answer_file(answers: Mapping[int, float | str]) -> bytes:
    """The content of a ``vqa_result.json``."""
    return msgspec.json.encode(
        [{"question_id": number, "answer": answer} for number, answer in sorted(answers.items())]
    )


def read_answers(path: Path, name: str, problems: Problems) -> dict[int, float]:
    """Picture → answer; the n-th file in the order of the numbers is n where the script numbered by position."""
    data = strict_json.read_bytes(path, problems, file=name, limit=_LIMIT)
    if data is None:
        return {}
    found: dict[int, float] = {}
    try:
        entries = msgspec.json.decode(data, type=list[Answer])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fix = "It is a list of objects with question_id and answer."
        problems.add("T2I_ANSWERS", f"is no list of answers: {error}", file=name, fix=fix)
        return {}
    for entry in entries:
        value = _number(entry.answer)
        if value is None or not math.isfinite(value):
            message = "an answer is no number"
            problems.add(
                "T2I_ANSWERS", message, file=name, item=entry.question_id, value=entry.answer, fix="Answer again."
            )
        elif entry.question_id in found:
            problems.add("T2I_ANSWERS", "is answered twice", file=name, item=entry.question_id, fix="Keep one answer.")
        else:
            found[entry.question_id] = value
    return found


def read_detections(
    path: Path, name: str, prompts: Sequence[str], per_prompt: int, problems: Problems
) -> dict[int, CompDetected]:
    """Picture → what was found in it; every fault is told with its line."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        problems.add("T2I_DET_FILE", f"cannot be read: {error}", file=name, fix="Write JSON lines, plain or gzip.")
        return {}
    if len(data) > _LIMIT:
        problems.add("T2I_DET_FILE", f"has more than {_LIMIT:,} bytes", file=name, fix="Is this the right file?")
        return {}
    found: dict[int, CompDetected] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            one = msgspec.json.decode(line, type=CompDetected)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            fix = "Write question_id, prompt, width, height, detector and detections; numbers are finite."
            problems.add("T2I_DET_FORMAT", f"is no picture: {error}", file=name, where=where, fix=fix)
            continue
        fault = _fault(one, prompts, per_prompt, found)
        if fault:
            problems.add("T2I_DET_VALUE", fault, file=name, where=where, item=one.question_id, fix="Detect again.")
        else:
            found[one.question_id] = one
    return found


def _fault(one: CompDetected, prompts: Sequence[str], per_prompt: int, found: Mapping[int, CompDetected]) -> str:
    """What is wrong with a line, or ""."""
    if not 0 <= one.question_id < per_prompt * len(prompts):
        return f"there is no picture {one.question_id}"
    if one.prompt != prompts[one.question_id // per_prompt]:
        return f"the prompt is {one.prompt!r}, that of this picture {prompts[one.question_id // per_prompt]!r}"
    if one.question_id in found:
        return "the picture is listed twice"
    if min(one.width, one.height) < 1 or max(one.width, one.height) > 1 << 16:
        return f"a picture of {one.width}×{one.height} pixels cannot be"
    for thing in one.detections:
        left, top, right, bottom = thing.box
        if not (left <= right and top <= bottom and left < one.width and top < one.height and right > 0 and bottom > 0):
            return f"the box {list(thing.box)} does not lie in the picture of {one.width}×{one.height}"
        if not 0 <= thing.score <= 1:
            return f"the score {thing.score} is not in 0 … 1"
    return ""


def _number(value: float | str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
