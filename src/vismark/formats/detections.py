"""Reading and checking detection results: a JSON list of {image_id, category_id, score, bbox or segmentation}.

The file is read once and cut into entries without decoding; batches of entries become columns, which are checked at
once; an entry that a batch cannot clear is looked at alone, so that every fault is listed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from vismark.formats import detection_masks, detection_remarks, strict_json
from vismark.formats.detection_columns import Detected, chosen, joined
from vismark.formats.detection_entries import Enough, Examiner, Kind
from vismark.formats.detection_truth import DetectionTruth
from vismark.formats.document import has_duplicates
from vismark.problems import Problems
from vismark.runtime.digests import digest_of
from vismark.runtime.progress import Bar

# Entries decoded at once.
_BATCH = 4096
# Bytes an image: 1,000 masks and more; small references meet large files.
_BYTES_PER_IMAGE = 1 << 20
_SMALLEST_LIMIT = 128 << 20
_LARGEST_LIMIT = 4 << 30
# A file is no list of detections when it has more values than these and looks like something else.
_FEW_VALUES = 1 << 20
_VALUES_AN_OBJECT, _BYTES_AN_OBJECT = 12, 30

_Id = Annotated[int, Meta(ge=-(2**53), le=2**53)]
# What Python's json also writes and reads, and JSON does not know: two numbers, and halves of surrogate pairs.
_PYTHON_ONLY = (b"NaN", b"Infinity", b"\\u")
_FAULTS = (msgspec.DecodeError, ValueError, RecursionError)


class _Rle(msgspec.Struct, gc=False):
    size: tuple[_Id, _Id]
    counts: str


class _Box(msgspec.Struct, gc=False):
    image_id: _Id
    category_id: _Id
    score: float
    bbox: tuple[float, float, float, float]


class _Mask(msgspec.Struct, gc=False):
    image_id: _Id
    category_id: _Id
    score: float
    segmentation: _Rle
    bbox: msgspec.Raw | UnsetType = UNSET


@dataclass(frozen=True)
class DetectionSubmission:
    """A results file that was read.

    Attributes:
        found: the sound detections.
        verbatim: the file itself, when official mode has to ask pycocotools because of faults it tolerates.
        ids: sample ids of the images that have detections.
        scored: sample ids of the images that are scored.
    """

    file: str
    kind: Kind
    found: Detected
    verbatim: bytes | None = None
    ids: frozenset[str] = frozenset()
    scored: tuple[str, ...] = ()

    def masks(self, truth: DetectionTruth, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The masks of some rows as run lengths of the size of their images."""
        sizes = {image.id: [image.height, image.width] for image in truth.images.values()}
        images, counts = self.found.image_ids.tolist(), self.found.counts or []
        return [{"size": sizes[images[row]], "counts": counts[row]} for row in rows]


def read_submission(
    path: Path,
    truth: DetectionTruth,
    kind: Kind,
    problems: Problems,
    *,
    official: bool,
    wanted: Collection[str] | None,
) -> tuple[DetectionSubmission, str] | None:
    """Read and check a results file.

    Args:
        kind: what will be scored.
        official: accept what pycocotools accepts (the findings are kept).
        wanted: sample ids that should have detections; None scores whichever have.

    Returns:
        The submission and the digest of the file, or None with errors in `problems`.
    """
    limit = min(max(_SMALLEST_LIMIT, _BYTES_PER_IMAGE * len(truth.images)), _LARGEST_LIMIT)
    data = strict_json.read_bytes(path, problems, file=path.name, limit=limit)
    if data is None or not strict_json.is_utf8_text(data, problems, path.name):
        return None
    items = _split(data, problems, path.name)
    if items is None:
        return None
    if not items:
        fix = "Predict the images of this ground truth."
        problems.add("SUB_EMPTY", "no predictions in the file", file=path.name, fix=fix)
        return None
    before = len(problems)
    reader = _Reader(truth, kind, path.name, problems, official, _is_boxed(items[0]))
    found = reader.read(items)
    if found is None:
        return None
    tolerated = official and len(problems) > before
    detection_remarks.add(found, truth, kind, reader.examiner, problems, path.name, wanted)
    submission = DetectionSubmission(
        file=path.name,
        kind=kind,
        found=found,
        verbatim=data if tolerated or (official and (truth.defective or reader.inexact)) else None,
        ids=frozenset(map(str, np.unique(found.image_ids).tolist())),
    )
    return submission, digest_of(data)


def _split(data: bytes, problems: Problems, file: str) -> Sequence[msgspec.Raw | bytes] | None:
    """The undecoded entries of the list; None with an error when the text is no JSON list."""
    objects = data.count(b"{")
    values = objects + data.count(b",")
    if values > _FEW_VALUES and (values > _VALUES_AN_OBJECT * objects or objects * _BYTES_AN_OBJECT > len(data)):
        message = f"the file holds {values:,} values in {objects:,} objects, which cannot be a list of detections"
        fix = "Is this the right file? Masks are compressed run lengths: no polygons, no lists of runs."
        problems.add("FILE_TOO_LARGE", message, file=file, fix=fix)
        return None
    try:
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        fix = 'Write a list: [{"image_id", "category_id", "bbox" or "segmentation", "score"}, …].'
        message = "the top level is no list of detections"
        problems.add("JSON_TOP_LEVEL", message, file=file, fix=fix)
    except RecursionError:
        strict_json.add_depth_fault(problems, file)
    except _FAULTS as error:
        if not any(mark in data for mark in _PYTHON_ONLY):
            strict_json.add_parse_fault(data, error, problems, file)
            return None
        return _split_leniently(data, problems, file)
    return None


def _split_leniently(data: bytes, problems: Problems, file: str) -> list[bytes] | None:
    """The entries of a list as Python's json reads it, with what other readers refuse."""
    scan, items = json.JSONDecoder().raw_decode, []
    try:
        text = data.decode().strip()
        if not text.startswith("["):
            raise json.JSONDecodeError("Expecting a list", text, 0)
        at = _skip(text, 1)
        while text[at : at + 1] != "]":
            _, end = scan(text, at)
            items.append(text[at:end].encode())
            at = _skip(text, end)
            if text[at : at + 1] == ",":
                at = _skip(text, at + 1)
            elif text[at : at + 1] != "]":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        if at != len(text) - 1:
            raise json.JSONDecodeError("Extra data", text, at + 1)
    except RecursionError:
        strict_json.add_depth_fault(problems, file)
        return None
    except ValueError as error:
        strict_json.add_parse_fault(data, error, problems, file)
        return None
    return items


def _skip(text: str, at: int) -> int:
    """The place of the next character that is no blank."""
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at


def _is_boxed(first: msgspec.Raw | bytes) -> bool:
    """Whether pycocotools would take the file for boxes: the first entry has a `bbox` that is not empty."""
    try:
        item = json.loads(bytes(first))
    except _FAULTS:
        return False
    return isinstance(item, dict) and "bbox" in item and item["bbox"] != []


class _Reader:
    """Turns entries into columns."""

    def __init__(
        self, truth: DetectionTruth, kind: Kind, file: str, problems: Problems, official: bool, boxed: bool
    ) -> None:
        self.kind = kind
        self.file = file
        self.problems = problems
        self.boxed = boxed
        # Whether only pycocotools itself can tell what it makes of the file: boxes beside masks, or NaN in some field.
        self.inexact = False
        images = sorted(truth.images.values(), key=lambda image: image.id)
        self._images = np.array([image.id for image in images], np.int64)
        self._sizes = np.array([(image.height, image.width) for image in images], np.int64)
        self._categories = np.array(list(truth.categories), np.int64)
        self._record: type[_Box | _Mask] = _Box if kind == "boxes" else _Mask
        self._decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(GenericAlias(list, (self._record,)))
        sizes = {image.id: (image.height, image.width) for image in images}
        self.examiner = Examiner(kind, sizes, truth.categories, file, problems, official=official, boxed=boxed)

    def read(self, items: Sequence[msgspec.Raw | bytes]) -> Detected | None:
        """The columns of all sound entries, or None: too many faults."""
        parts = []
        try:
            with Bar(f"reading {self.file}", len(items)) as bar:
                for start in range(0, len(items), _BATCH):
                    part = items[start : start + _BATCH]
                    parts.append(self._batch(part, start))
                    bar.advance(len(part))
        except Enough:
            message, fix = "reading stopped after 20,000 errors", "Mend these first."
            self.problems.add("SUB_TOO_MANY_FAULTS", message, file=self.file, where=self.examiner.where, fix=fix)
            detection_remarks.add_contiguous(self.examiner, self._categories, self.problems, self.file)
            return None
        return joined(parts)

    def _batch(self, part: Sequence[msgspec.Raw | bytes], start: int) -> Detected:
        text = b"[" + b",".join(part) + b"]"
        places: NDArray[np.int64] = np.arange(len(part))
        try:
            records: list[Any] = self._decoder.decode(text)
            self._check_keys(text, records, part, start)
        except _FAULTS:
            decoded = [self._one(raw, number) for number, raw in enumerate(part, start)]
            places = np.flatnonzero([one is not None for one in decoded])
            records = [one for one in decoded if one is not None]
        columns = self._columns(records)
        sound = self._sound(columns)
        for place in sorted(set(range(len(part))).difference(places[sound].tolist())):
            self._examine(part[place], start + place)
        return columns if sound.all() else chosen(columns, sound)

    def _one(self, raw: msgspec.Raw | bytes, number: int) -> Any | None:
        """One entry as a record, or None when it is none."""
        try:
            record = msgspec.json.decode(raw, type=self._record)
        except _FAULTS:
            return self._as_python_reads(raw, number)
        self._check_keys(bytes(raw), [record], [raw], number)
        return record

    def _as_python_reads(self, raw: msgspec.Raw | bytes, number: int) -> Any | None:
        """One entry whose fields are sound, beside others that only Python takes for JSON; else None."""
        try:
            item = json.loads(bytes(raw))
            fields = {name: item[name] for name in self._record.__struct_fields__ if name in item}
            record = msgspec.json.decode(msgspec.json.encode(fields), type=self._record)
        except (*_FAULTS, TypeError, AttributeError):
            return None
        self.inexact = True
        if not self.examiner.official:
            message = "a field that is not needed is no JSON: NaN, Infinity, or half of a surrogate pair"
            fix = "Leave the field out, or write JSON (json.dump(…, allow_nan=False) shows where)."
            self.problems.add("JSON_PARSE", message, file=self.file, where=f"/{number}", fix=fix)
        return record

    def _examine(self, raw: msgspec.Raw | bytes, number: int) -> None:
        """Write down what is wrong with an entry."""
        try:
            item = json.loads(bytes(raw))
        except RecursionError:
            strict_json.add_depth_fault(self.problems, self.file)
        except ValueError as error:
            self.problems.add("JSON_PARSE", f"this is no JSON: {error}", file=self.file, where=f"/{number}")
        else:
            self.examiner.examine(number, item)

    def _check_keys(self, text: bytes, records: list[Any], part: Sequence[msgspec.Raw | bytes], start: int) -> None:
        """Look for repeated keys, closely only where there are more quotes than keys and texts of the fields need."""
        quotes, texts = text.count(b'"'), (4 if self.kind == "boxes" else 7) * len(records)
        if quotes == 2 * texts:
            return
        if self.kind == "masks":
            boxes = sum(record.bbox is not UNSET for record in records)
            self.inexact |= boxes > 0
            if quotes == 2 * (texts + boxes):
                return
        for number, raw in enumerate(part, start):
            data = bytes(raw)
            if has_duplicates(data, -1):
                found = Problems()
                strict_json.add_duplicates(data, found, self.file)
                for problem in found:
                    self.problems.append(msgspec.structs.replace(problem, where=f"/{number}"))

    def _columns(self, records: list[Any]) -> Detected:
        count = len(records)
        counts = areas = None
        boxes = np.zeros((count, 4))
        image_ids = np.fromiter(map(attrgetter("image_id"), records), np.int64, count)
        if self.kind == "boxes":
            boxes = np.array(list(map(attrgetter("bbox"), records)), np.float64).reshape(-1, 4)
        else:
            masks = list(map(attrgetter("segmentation"), records))
            counts = list(map(attrgetter("counts"), masks))
            sizes = np.array(list(map(attrgetter("size"), masks)), np.int64).reshape(-1, 2)
            place = np.minimum(np.searchsorted(self._images, image_ids), len(self._images) - 1)
            fits = (sizes == self._sizes[place]).all(axis=1)
            # A mask of another size has no pixels that could be counted: the examiner looks at it.
            areas = np.where(fits, detection_masks.areas(counts, self._sizes[place].prod(axis=1)), -1)
        return Detected(
            image_ids,
            np.fromiter(map(attrgetter("category_id"), records), np.int64, count),
            np.fromiter(map(attrgetter("score"), records), np.float64, count),
            boxes,
            counts,
            areas,
        )

    def _sound(self, columns: Detected) -> NDArray[np.bool_]:
        """Which rows have nothing that the examiner would write down."""
        sound = _member(columns.image_ids, self._images) & _member(columns.category_ids, self._categories)
        sound &= np.isfinite(columns.scores)
        if columns.areas is None:
            sound &= np.isfinite(columns.boxes).all(axis=1) & (columns.boxes[:, 2:] > 0).all(axis=1)
        else:
            sound &= columns.areas >= 0
        found: NDArray[np.bool_] = sound
        return found


def _member(values: NDArray[np.int64], ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[place] == values
    return found
