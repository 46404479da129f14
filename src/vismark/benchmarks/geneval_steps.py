"""The steps of GenEval: look at every picture file; find objects and their colours with instruments."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.formats import png
from vismark.formats.detection_write import decode_mask
from vismark.formats.geneval import COLOURS, Found, Prompt
from vismark.formats.geneval_detections import Detected, Header, write_detections
from vismark.formats.geneval_images import Pictures, prompt_of
from vismark.instruments.crops import Crop
from vismark.problems import Problems
from vismark.runtime.digests import digest_of
from vismark.runtime.parallel import default_jobs
from vismark.tasks import RLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Bytes of a picture file, and the side below which nothing can be found in it.
_MOST_BYTES = 1 << 28
_SMALLEST = 16
# Objects of a class whose colour is told: no protocol looks at more.
_MOST_COLOURED = 16


@dataclass(frozen=True)
class GenEvalTruth:
    """What is asked: the prompts in the official order, and the names of the classes in that of the detector."""

    prompts: tuple[Prompt, ...]
    classes: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Recorded:
    """A submission of detections: sample id → what was found, and the name of the detector."""

    pictures: Mapping[str, Detected]
    detector: str
    prompts: Mapping[int, Prompt]


class Looked(Evidence, frozen=True, kw_only=True):
    """The evidence of a picture file: its size in pixels."""

    width: int = 0
    height: int = 0


class Seen(Evidence, frozen=True, kw_only=True):
    """What instruments saw in a picture; objects under the detector's floor are left out."""

    detector: str = ""
    width: int = 0
    height: int = 0
    detections: tuple[Found, ...] = ()


class PictureStep:
    """Reads each picture's structure: broken, empty and tiny files are found before a detector runs."""

    def __init__(self) -> None:
        self.about = About("geneval-pictures", version=1, record=Looked)

    def ids(self, opened: Opened[Pictures | Recorded], truth: GenEvalTruth) -> Sequence[str]:
        """Every picture; none of a detections file."""
        return opened.ids if isinstance(opened.submission, Pictures) else ()

    def run(self, submission: Pictures, truth: GenEvalTruth, ids: Sequence[str]) -> list[Looked]:
        """The evidence of the samples `ids`; faults are in the records."""
        return [_looked(submission, id) for id in ids]

    def fingerprint(self, submission: Pictures, truth: GenEvalTruth, id: str) -> tuple[str, str]:
        """Digest of the file as it is now."""
        return _digest(submission, id), ""


class DetectStep:
    """Finds objects with a detector and tells the colour of those that a clause with a colour is about."""

    def __init__(self, detector: Any, colour: Any, batch: int | None) -> None:
        instruments = {one.name: dict(one.identity) for one in (detector, colour)}
        size = batch or int(getattr(detector, "batch", 1))
        self.about = About("geneval-detect", 1, Seen, instruments=instruments, batch=size, workers="alone")
        self.detector = detector
        self.colour = colour

    def ids(self, opened: Opened[Pictures | Recorded], truth: GenEvalTruth) -> Sequence[str]:
        """Every picture; none of a detections file."""
        return opened.ids if isinstance(opened.submission, Pictures) else ()

    def run(self, submission: Pictures, truth: GenEvalTruth, ids: Sequence[str]) -> list[Seen]:
        """The evidence of the samples `ids`; faults of files are in the records."""
        # Decoding leaves the interpreter alone: it uses the cores while the network would wait.
        with ThreadPoolExecutor(default_jobs()) as pool:
            read = list(pool.map(lambda id: _read(submission, id), ids))
        pixels = {id: one.pixels for id, one in zip(ids, read, strict=True) if one.pixels is not None}
        records = {
            id: Seen(
                id=id,
                digest=one.digest,
                reference_digest=digest_of(_prompt(submission, truth, id)),
                detector=self.detector.name,
                problems=tuple(one.problems),
            )
            for id, one in zip(ids, read, strict=True)
        }
        found = dict(zip(pixels, self.detector.measure(list(pixels.values())), strict=True))
        coloured = self._coloured(pixels, found, {id: _asked(_prompt(submission, truth, id)) for id in pixels})
        for id, objects in coloured.items():
            height, width = pixels[id].shape[:2]
            records[id] = msgspec.structs.replace(records[id], width=width, height=height, detections=objects)
        return list(records.values())

    def fingerprint(self, submission: Pictures, truth: GenEvalTruth, id: str) -> tuple[str, str]:
        """Digests of the file as it is now and of the prompt, which says whose colour is asked."""
        return _digest(submission, id), digest_of(_prompt(submission, truth, id))

    def export(self, path: Path, opened: Opened[Pictures], records: Sequence[Seen]) -> None:
        """Write a detections file: what these instruments saw, for scoring elsewhere."""
        detector, colour = ({"name": one.name, "identity": dict(one.identity)} for one in (self.detector, self.colour))
        header = Header(detector=detector, colour=colour, floor=self.detector.floor)
        write_detections(path, header, [_as_line(record, opened.submission.files[record.id]) for record in records])

    def _coloured(
        self,
        pixels: Mapping[str, NDArray[np.uint8]],
        found: Mapping[str, Sequence[Found]],
        asked: Mapping[str, Collection[str]],
    ) -> dict[str, tuple[Found, ...]]:
        """All objects, with colours where they are asked for and without masks, which scoring does not need."""
        crops: dict[tuple[str, int], Crop] = {}
        for id, objects in found.items():
            for number in _best(objects, asked[id]):
                one = objects[number]
                mask = decode_mask(RLE(one.mask.size, one.mask.counts.encode("ascii"))) if one.mask else None
                crops[id, number] = Crop(pixels[id], one.box, one.category, mask)
        logits = dict(zip(crops, self.colour.measure(list(crops.values())) if crops else (), strict=True))
        out = {}
        for id, objects in found.items():
            told = [
                _with_colour(one, logits[id, number]) if (id, number) in logits else one
                for number, one in enumerate(objects)
            ]
            out[id] = tuple(msgspec.structs.replace(one, mask=None) for one in told)
        return out


def _as_line(record: Seen, file: str) -> Detected:
    prompt, sample = int(record.id[:5]), int(record.id.rpartition("/")[2])
    return Detected(file, prompt, sample, record.width, record.height, record.detections)


@dataclass(frozen=True)
class _Read:
    """A file that was read: its digest, its pixels (uint8 RGB, turned as EXIF says) or what is wrong with it."""

    digest: str
    pixels: NDArray[np.uint8] | None
    problems: Problems


def _read(submission: Pictures, id: str) -> _Read:
    import numpy as np
    from PIL import Image, ImageOps

    problems, digest = Problems(), ""
    try:
        data = _structure(submission.folder / submission.files[id])[1]
        digest = digest_of(data)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return _Read(digest, np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8), problems)
    except png.PngFault as fault:
        _report(fault, submission, id, problems)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        _report(png.PngFault("UNREADABLE", f"cannot be decoded: {error}", "Draw it again."), submission, id, problems)
    return _Read(digest, None, problems)


def _looked(submission: Pictures, id: str) -> Looked:
    problems = Problems()
    try:
        header, data = _structure(submission.folder / submission.files[id])
    except png.PngFault as fault:
        _report(fault, submission, id, problems)
        return Looked(id=id, digest="", problems=tuple(problems))
    if min(header.width, header.height) < _SMALLEST:
        message = f"has {header.width}×{header.height} pixels: nothing can be found in it"
        fix = "Draw it in the model's own resolution."
        problems.add("GENEVAL_PNG_SMALL", message, file=submission.files[id], item=id, fix=fix)
    faults = tuple(problems)
    return Looked(id=id, digest=digest_of(data), problems=faults, width=header.width, height=header.height)


def _structure(path: Path) -> tuple[png.Header, bytes]:
    """Header and bytes of a PNG whose chunks are all there and intact, with 8 bits a channel.

    Raises:
        PngFault: it is something else.
    """
    data = png.read_file(path, _MOST_BYTES)
    header = png.inspect(data)
    png.expect(header, None)
    png.intact(data)
    if header.depth == 16:
        raise png.PngFault("FORMAT", "has 16 bits a channel", "Save it with 8 bits a channel.")
    return header, data


def _report(fault: png.PngFault, submission: Pictures, id: str, problems: Problems) -> None:
    problems.add(f"GENEVAL_PNG_{fault.fault}", str(fault), file=submission.files[id], item=id, fix=fault.fix)


def _digest(submission: Pictures, id: str) -> str:
    try:
        return digest_of(png.read_file(submission.folder / submission.files[id], _MOST_BYTES))
    except png.PngFault:
        return ""


def _prompt(submission: Pictures, truth: GenEvalTruth, id: str) -> Prompt:
    number = prompt_of(id)
    return submission.prompts.get(number, truth.prompts[number])


def _asked(prompt: Prompt) -> set[str]:
    """The classes whose colour a prompt is about."""
    return {clause.category for clause in prompt.include if clause.color is not None}


def _best(objects: Sequence[Found], classes: Collection[str]) -> list[int]:
    """Numbers of the most confident objects of each class."""
    chosen: list[int] = []
    for name in sorted(classes):
        rows = [number for number, one in enumerate(objects) if one.category == name]
        chosen += sorted(rows, key=lambda number: -objects[number].score)[:_MOST_COLOURED]
    return chosen


def _with_colour(one: Found, logits: Sequence[float] | None) -> Found:
    if logits is None:
        return msgspec.structs.replace(one, color=None)
    name = COLOURS[max(range(len(COLOURS)), key=lambda number: logits[number])]
    return msgspec.structs.replace(one, color=name, color_logits=tuple(logits))
