"""Predictions for ViCaS: one JSON file a video, with a caption and the masks of every expression; reading and checks.

``{"video_id": 11, "pred_caption": "…", "pred_lgvis_masks": [[{"filename": "00000.jpg", "mask_rles": [RLE]}, …], …]}``:
an entry an expression in the order of the annotation, in it an entry for every scored frame, in it a mask for every
object. Nothing reaches a decoder unchecked: the official evaluator hangs or crashes on runs that do not fill a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats import strict_json
from vismark.formats.panoptic_entries import kind
from vismark.formats.rle import Rle, RleFault, checked_runs, compress, is_sound
from vismark.formats.vicas import LARGEST, Video
from vismark.problems import Problems, Severity

# Objects that the official evaluator means to count for an expression.
MOST_OBJECTS = 10

_KEYS = {"video_id", "pred_caption", "pred_lgvis_masks"}
_MOST_VALUES = 1 << 24
# Names that a message lists.
_SHOWN = 5

Mask = dict[str, Any]

# The masks of an object, one a scored frame; None where a mask has another size than the frame.
Track = Sequence[Mask | None]


def read_content(path: Path, problems: Problems, official: bool) -> tuple[dict[str, Any], bytes] | None:
    """The JSON object in a prediction file and its bytes, or None with an error."""
    file = path.name
    data = strict_json.read_bytes(path, problems, file=file, limit=LARGEST)
    if data is None:
        return None
    value = strict_json.parse(data, problems, file=file, official=official, most=_MOST_VALUES)
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.add(
            "SUB_FORMAT", f"the top level is {kind(value)}, not an object", file=file, fix="One object a video."
        )
        return None
    _check_keys(value, file, problems)
    return value, data


def _check_keys(value: Mapping[str, Any], file: str, problems: Problems) -> None:
    for key in sorted(value.keys() - _KEYS)[:_SHOWN]:
        message = f"the key {key!r} is not of the format; it is ignored"
        problems.add("SUB_KEY_UNKNOWN", message, severity="warning", file=file, where=f"/{key}", fix="Is it misspelt?")
    stem, id = Path(file).stem, value.get("video_id")
    if type(id) is not int or id != int(stem):
        said = "is missing" if "video_id" not in value else f"is {id!r:.40}"
        message = f"video_id {said}, the file is named {stem}; the official evaluator goes by the name"
        problems.add("SUB_VIDEO_ID", message, file=file, where="/video_id", item=stem, fix="Is it the right video?")


def caption_of(value: Mapping[str, Any], file: str, problems: Problems) -> str:
    """The predicted caption; "" with an error where there is none."""
    caption = value.get("pred_caption")
    if isinstance(caption, str) and caption.strip():
        return caption
    said = "is missing" if "pred_caption" not in value else "is empty" if caption == "" else f"is {kind(caption)}"
    message, fix = f"pred_caption {said}", "Write the caption as a string."
    problems.add("SUB_CAPTION", message, file=file, where="/pred_caption", item=Path(file).stem, fix=fix)
    return ""


class MaskReader:
    """Reads the masks of one video, expression by expression; every fault goes into `problems`."""

    def __init__(self, video: Video, name: str, file: str, problems: Problems, official: bool) -> None:
        self.video = video
        self.name = name
        self.file = file
        self.problems = problems
        self.official = official
        self.size = list(video.image_size)
        self.pixels = video.image_size[0] * video.image_size[1]
        self.names = [frame.filename for frame in video.scored]
        self.item = name
        self.prompt = ""

    def tracks(self, value: Mapping[str, Any], wanted: Sequence[int]) -> dict[int, tuple[Track, ...] | None]:
        """Number of an expression → its tracks, or None where its entry has faults."""
        entries, where = value.get("pred_lgvis_masks"), "/pred_lgvis_masks"
        if not isinstance(entries, list):
            said = "is missing" if entries is None else f"is {kind(entries)}"
            fix = "One list an expression, in the order of object_referrals."
            self._add("SUB_MASKS", f"pred_lgvis_masks {said}", where=where, fix=fix)
            return dict.fromkeys(wanted)
        total = len(self.video.object_referrals)
        if len(entries) > total:
            message = f"there are {len(entries)} entries for {total} expressions; the last ones are ignored"
            self._add("SUB_PROMPT_EXTRA", message, where=where, severity="warning", fix="One entry an expression.")
        return {number: self._expression(number, entries) for number in wanted}

    def _expression(self, number: int, entries: list[Any]) -> tuple[Track, ...] | None:
        where = f"/pred_lgvis_masks/{number}"
        self.item = f"{self.name}/{number}"
        self.prompt = f'prompt {number} ("{self.video.object_referrals[number].prompt:.40}")'
        if number >= len(entries):
            self._add("SUB_PROMPT_MISSING", f"{self.prompt} has no entry", where="/pred_lgvis_masks", fix="Add it.")
            return None
        if not isinstance(entries[number], list):
            message = f"{self.prompt} is {kind(entries[number])}, not a list of frames"
            self._add("SUB_FORMAT", message, where=where, fix='Write [{"filename": …, "mask_rles": […]}, …].')
            return None
        frames = self._frames(entries[number], where)
        self._check_names(frames, entries[number], where)
        counts = {len(masks) for name, (_, masks) in frames.items()}
        if len(counts) > 1:
            self._explain_counts(frames, where)
            return None
        if not frames.keys() >= set(self.names) or not self.names:
            return None
        objects = next(iter(counts))
        if objects > MOST_OBJECTS:
            message = f"{self.prompt} has {objects} objects; only {MOST_OBJECTS} are allowed"
            self._add("SUB_OBJECTS_MANY", message, where=where, value=objects, fix="Keep the ten that are surest.")
        columns = [self._masks(name, *frames[name]) for name in self.names]
        if any(column is None for column in columns):
            return None
        return tuple(zip(*[column for column in columns if column is not None], strict=True))

    def _frames(self, entry: list[Any], where: str) -> dict[str, tuple[str, list[Any]]]:
        """Name of each scored frame → its place and its masks; of a repeated name the last counts, as officially."""
        found: dict[str, tuple[str, list[Any]]] = {}
        scored = set(self.names)
        for number, frame in enumerate(entry):
            place = f"{where}/{number}"
            name = frame.get("filename") if isinstance(frame, dict) else None
            masks = frame.get("mask_rles") if isinstance(frame, dict) else None
            if not isinstance(name, str):
                fix = 'Write {"filename": "00000.jpg", "mask_rles": […]}.'
                self._add("SUB_FORMAT", f"{self.prompt}: a frame without filename", where=place, fix=fix)
            elif name in scored:
                if name in found:
                    message = f"{self.prompt}: frame {name} is there twice; the last one counts"
                    self._add("SUB_FRAME_DUP", message, where=place, severity="warning", fix="Write it once.")
                if not isinstance(masks, list):
                    message = f"{self.prompt}, frame {name}: mask_rles is {kind(masks)}, not a list"
                    self._add("SUB_FORMAT", message, where=f"{place}/mask_rles", fix="Write a list, [] for no object.")
                    masks = []
                found[name] = (f"{place}/mask_rles", masks)
        return found

    def _check_names(self, frames: Mapping[str, Any], entry: list[Any], where: str) -> None:
        """Write down scored frames that are not there."""
        missing = [name for name in self.names if name not in frames]
        if not missing:
            return
        given = [frame["filename"] for frame in entry if isinstance(frame, dict) and "filename" in frame]
        prefixed = any(isinstance(name, str) and name.rpartition("/")[2] in missing for name in given)
        shown = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
        message = f"{self.prompt} lacks {len(missing)} of {len(self.names)} scored frames: {shown}"
        fix = "Use the bare frame name, without a folder." if prefixed else "Give every frame with is_gt an entry."
        self._add("SUB_FRAME_MISSING", message, where=where, value=missing[0], fix=fix)

    def _explain_counts(self, frames: Mapping[str, tuple[str, list[Any]]], where: str) -> None:
        by_count: dict[int, str] = {}
        for name, (_, masks) in frames.items():
            by_count.setdefault(len(masks), name)
        told = ", ".join(f"{count} in {name}" for count, name in sorted(by_count.items()))
        message = f"{self.prompt} has different numbers of objects over the frames: {told}"
        fix = "Every object needs a mask in every frame, an empty one where it is absent."
        self._add("SUB_OBJECT_COUNT", message, where=where, fix=fix)

    def _masks(self, name: str, where: str, masks: list[Any]) -> list[Mask | None] | None:
        """The masks of one frame, or None with an error."""
        found: list[Mask | None] = []
        for number, mask in enumerate(masks):
            if type(mask) is dict and mask.get("size") == self.size and is_sound(mask.get("counts"), self.pixels):
                found.append(mask)
                continue
            checked = self._odd_mask(mask, f"{self.prompt}, frame {name}, object {number}", f"{where}/{number}")
            if checked is None:
                return None
            found.append(checked or None)
        return found

    def _odd_mask(self, mask: Any, place: str, where: str) -> Mask | None:
        """A mask that is not as it should be: what can be used of it, {} if it counts for nothing, None for no mask."""
        if not isinstance(mask, dict):
            fix = 'Write {"size": [height, width], "counts": "…"}, an empty mask where the object is absent.'
            self._add("SUB_FORMAT", f"{place}: the mask is {kind(mask)}", where=where, fix=fix)
            return None
        size, counts = mask.get("size"), mask.get("counts")
        try:
            runs = checked_runs(Rle(size, counts), None)
        except RleFault as fault:
            code = "SUB_FORMAT" if fault.code == "RLE_SIZE" else "SUB_RLE_COUNTS"
            self._add(code, f"{place}: {fault}", where=where, value=size, fix=fault.fix)
            return None
        if size != self.size:
            swapped = size == self.size[::-1]
            message = f"{place}: RLE size {size} but the annotation has {self.size} (height, width)"
            fix = "Height and width look swapped." if swapped else "Give masks the size of the video."
            self._add("SUB_RLE_SIZE", message, where=where, value=size, fix=fix)
            return {}
        message = f"{place}: counts is an uncompressed list, which the official evaluator cannot read"
        severity: Severity = "error" if self.official else "warning"
        self._add("SUB_RLE_LIST", message, where=where, severity=severity, fix="Write compressed strings.")
        return compress(runs, self.video.image_size)

    def _add(
        self, code: str, message: str, *, where: str, fix: str, value: Any = "", severity: Severity = "error"
    ) -> None:
        self.problems.add(
            code, message, severity=severity, file=self.file, where=where, item=self.item, value=value, fix=fix
        )


def encode_video(id: int, caption: str | None, tracks: Sequence[Sequence[Mapping[str, Any]]] | None) -> bytes:
    """A prediction file; `tracks` has the frames of each expression as they stand in the file."""
    value: dict[str, Any] = {"video_id": id}
    if caption is not None:
        value["pred_caption"] = caption
    if tracks is not None:
        value["pred_lgvis_masks"] = tracks
    return msgspec.json.encode(value)
