"""Every fault of a ViCaS annotation file, each with its place: keys and types, masks, tracks, expressions, captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vismark.formats import strict_json
from vismark.formats.findings import Report
from vismark.formats.mask_phrases import Ids, PhraseFault, parse_caption
from vismark.formats.panoptic_entries import kind
from vismark.formats.rle import PIXEL_LIMIT, Rle, RleFault, checked_runs, is_sound
from vismark.formats.vicas import KEYS, is_ids
from vismark.problems import Problems

_FRAME = re.compile(r"\d{5}\.jpg")
_SOURCES = ("oops", "uvo", "kinetics")
# JSON values of a video of minutes with many objects.
_MOST_VALUES = 1 << 24

# Raw caption → its parsed twin in the file.
_TWINS = {"caption_raw_en": "caption_parsed_en", "caption_raw_en_gpt": "caption_parsed_en_gpt", "caption_raw_cn": ""}

_READINGS: tuple[Ids, ...] = ("official", "numbers")

_GET = "Get the official file again."


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(one) is int and one > 0 for one in value)
        and value[0] * value[1] <= PIXEL_LIMIT
    )


_RIGHT: Mapping[str, Callable[[Any], bool]] = {
    "an integer": lambda value: type(value) is int,
    "a string": lambda value: isinstance(value, str),
    "[height, width]": _is_size,
    "a list of strings": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "a list of objects": lambda value: isinstance(value, list),
    "a list of frames": lambda value: isinstance(value, list),
    "a list of integers": is_ids,
    "true or false": lambda value: isinstance(value, bool),
    "a list of masks": lambda value: isinstance(value, list),
}
_FRAME_KEYS = {
    "filename": "a string",
    "is_gt": "true or false",
    "track_ids": "a list of integers",
    "mask_rles": "a list of masks",
}
_EXPRESSION_KEYS = {"prompt": "a string", "track_ids": "a list of integers"}


@dataclass
class _Seen:
    """What the frames of a video hold: names in order, track ids, and those with pixels in a scored frame."""

    names: list[str] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    visible: set[int] = field(default_factory=set)
    scored: int = 0


def check_annotation(
    data: bytes, file: str, problems: Problems, *, keys: Collection[str] = tuple(KEYS)
) -> dict[str, Any] | None:
    """Write every fault of an annotation file into `problems`.

    Args:
        keys: those that have to be there; all are for the official reader.

    Returns:
        The file's content, or None when it is no JSON object.
    """
    report = Report(problems, file)
    value = strict_json.parse(data, problems, file=file, most=_MOST_VALUES)
    if value is None:
        return None
    if not isinstance(value, dict):
        report.error("JSON_TOP_LEVEL", f"the top level is {kind(value)}, not an object", "One object a video.")
        return None
    if {"pred_caption", "pred_lgvis_masks"} & value.keys():
        fix = "Use `vismark check vicas-lgvis FOLDER`; `validate` is for annotations."
        report.error("IS_SUBMISSION", "this looks like predictions, not like annotations", fix)
        return None
    good = {key for key, wanted in KEYS.items() if _has(value, key, wanted, report, "", key in keys)}
    if "video_id" in good:
        _check_name(value["video_id"], file, report)
    if "src_dataset" in good and value["src_dataset"] not in _SOURCES:
        message = f"src_dataset is {value['src_dataset']!r}, not one of {', '.join(_SOURCES)}"
        report.warn("VIDEO_SOURCE", message, _GET, where="/src_dataset")
    size = value["image_size"] if "image_size" in good else None
    seen = _check_frames(value["segmentations"], size, report) if "segmentations" in good else _Seen()
    known = set(value["all_track_ids"]) if "all_track_ids" in good else seen.ids
    for id in sorted(seen.ids - known):
        report.error("TRACK_UNKNOWN", f"track {id} is not in all_track_ids", _GET, where="/all_track_ids", value=id)
    if "object_referrals" in good:
        _check_expressions(value["object_referrals"], known, seen, report)
    for key in [one for one in _TWINS if one in good]:
        _check_caption(value, key, known, report)
    return value


def _has(value: Mapping[str, Any], key: str, wanted: str, report: Report, where: str, needed: bool = True) -> bool:
    """Whether `value` has a right `key`; what is wrong is written down."""
    if key not in value:
        if needed:
            report.error("MISSING_FIELD", f"`{key}` is missing", f"Add `{key}`: {wanted}.", where=where)
        return False
    if _RIGHT[wanted](value[key]):
        return True
    message = f"`{key}` is {kind(value[key])}, not {wanted}"
    report.error("FIELD_TYPE", message, f"Write {wanted}.", where=f"{where}/{key}", value=value[key])
    return False


def _check_name(id: int, file: str, report: Report) -> None:
    stem = Path(file).stem
    name, _, rest = stem.partition("_")
    if rest:
        message = "the file name has more than the id of the video; the official evaluator still finds it"
        report.warn("VIDEO_FILE_NAME", message, f"Rename it to {name}.json.", value=file)
    if name.isdecimal() and int(name) != id:
        report.error("VIDEO_ID", f"video_id is {id}, the file is named {stem}", _GET, where="/video_id", value=id)


def _check_frames(frames: Sequence[Any], size: list[int] | None, report: Report) -> _Seen:
    seen = _Seen()
    for number, frame in enumerate(frames):
        where = f"/segmentations/{number}"
        if not isinstance(frame, dict):
            report.error("FIELD_TYPE", f"a frame is {kind(frame)}, not an object", _GET, where=where, value=frame)
            continue
        good = {key for key, wanted in _FRAME_KEYS.items() if _has(frame, key, wanted, report, where)}
        if "filename" in good:
            seen.names.append(frame["filename"])
            if not _FRAME.fullmatch(frame["filename"]):
                message = f"the frame is called {frame['filename']!r}, not like 00000.jpg"
                report.error("FRAME_NAME", message, "Write the bare name, five digits.", where=f"{where}/filename")
        counts = "is_gt" in good and frame["is_gt"]
        seen.scored += bool(counts)
        if {"track_ids", "mask_rles"} <= good:
            _check_masks(frame, size, seen, bool(counts), report, where)
    if len(set(seen.names)) < len(seen.names):
        twice = next(name for name in seen.names if seen.names.count(name) > 1)
        report.error("FRAME_DUP", f"the frame {twice} is listed twice", _GET, where="/segmentations", value=twice)
    elif seen.names != sorted(seen.names):
        report.warn("FRAME_ORDER", "the frames are not in the order of their names", _GET, where="/segmentations")
    if not seen.scored:
        message = "no frame has human masks (is_gt), so nothing can be scored"
        report.error("FRAME_NO_TRUTH", message, _GET, where="/segmentations")
    return seen


def _check_masks(
    frame: Mapping[str, Any], size: list[int] | None, seen: _Seen, scored: bool, report: Report, where: str
) -> None:
    ids, masks = frame["track_ids"], frame["mask_rles"]
    if len(ids) != len(masks):
        message = f"{len(ids)} track ids, but {len(masks)} masks"
        report.error("TRACK_MASKS", message, _GET, where=where)
    if len(set(ids)) < len(ids):
        report.error("TRACK_DUP", "a track is listed twice in a frame", _GET, where=f"{where}/track_ids", value=ids)
    seen.ids.update(ids)
    for place, mask in enumerate(masks):
        area = check_mask(mask, size, report, f"{where}/mask_rles/{place}")
        if area and scored and place < len(ids):
            seen.visible.add(ids[place])


def check_mask(mask: Any, size: list[int] | None, report: Report, where: str) -> bool:
    """Whether a mask of an annotation is sound and has pixels; what is wrong is written down."""
    from hotcoco.mask import area

    if not isinstance(mask, dict):
        report.error("FIELD_TYPE", f"a mask is {kind(mask)}, not an object", _GET, where=where, value=mask)
        return False
    stated: Any = mask.get("size")
    counts = mask.get("counts")
    try:
        if (size is None or stated == size) and _is_size(stated) and is_sound(counts, stated[0] * stated[1]):
            return bool(area({"size": stated, "counts": counts}))
        checked_runs(Rle(stated, counts), (size[0], size[1]) if size else None)
        raise RleFault("RLE_COUNTS", "counts is a list; the official tools read strings only", "Compress the runs.")
    except RleFault as fault:
        report.error(fault.code, str(fault), fault.fix, where=where)
        return False


def _check_expressions(expressions: Sequence[Any], known: set[int], seen: _Seen, report: Report) -> None:
    for number, one in enumerate(expressions):
        where = f"/object_referrals/{number}"
        if not isinstance(one, dict):
            report.error("FIELD_TYPE", f"an expression is {kind(one)}, not an object", _GET, where=where, value=one)
            continue
        good = {key for key, wanted in _EXPRESSION_KEYS.items() if _has(one, key, wanted, report, where)}
        if "prompt" in good and not one["prompt"].strip():
            report.error("EXPRESSION_EMPTY", "the expression is empty", _GET, where=f"{where}/prompt")
        if "track_ids" in good:
            _check_targets(one["track_ids"], known, seen, report, f"{where}/track_ids")


def _check_targets(ids: Sequence[int], known: set[int], seen: _Seen, report: Report, where: str) -> None:
    for id in sorted(set(ids) - known):
        report.error("EXPRESSION_TRACK", f"the expression means track {id}, which is not there", _GET, where=where)
    if len(set(ids)) < len(ids):
        message = "a track is meant twice, so it counts twice"
        report.warn("EXPRESSION_TRACK_DUP", message, _GET, where=where, value=list(ids))
    hidden = sorted(set(ids) & known - seen.visible)
    if hidden and seen.scored:
        message = f"tracks {hidden} have no pixel in a scored frame, so no prediction can match them"
        report.warn("EXPRESSION_TRACK_EMPTY", message, _GET, where=where)


def _check_caption(value: Mapping[str, Any], key: str, known: set[int], report: Report) -> None:
    where = f"/{key}"
    try:
        caption = parse_caption(value[key])
    except PhraseFault as fault:
        message = f"the official reader refuses the caption: {fault}"
        report.error("PHRASE_MARKUP", message, "Write [phrase]<mask_1>.", where=where, value=value[key])
        return
    for finding in caption.findings:
        place = f"{where}, character {finding.position}"
        report.warn(finding.code, _MEANINGS[finding.code], "Write [phrase]<mask_1>.", where=place)
    # Ids of several digits are told by PHRASE_ID_DIGITS; read as whole numbers they may well be known.
    unknown = min((sorted(set(parse_caption(value[key], ids).ids()) - known) for ids in _READINGS), key=len)
    if unknown:
        message = f"the caption names tracks {unknown}, which the video does not have"
        report.warn("PHRASE_TRACK", message, _GET, where=where)
    twin = value.get(_TWINS[key])
    if isinstance(twin, str) and twin != caption.parsed:
        message = f"{_TWINS[key]} is not {key} without its markup"
        report.warn("PHRASE_TWIN", message, _GET, where=f"/{_TWINS[key]}", value=twin)


_MEANINGS = {
    "PHRASE_UNFINISHED": "the caption ends inside a group; the official reader drops the group in silence",
    "PHRASE_EMPTY": "a group without a phrase",
    "PHRASE_ID_DIGITS": "the official reader takes every digit for a track: 12 means 1 and 2",
}
