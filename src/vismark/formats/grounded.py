"""Grounded caption submissions: ``predictions.jsonl`` and a folder ``panoptic`` of PNGs; read, checked, written.

A line is one image: {image_id, file_name, caption, segments_info}. Numbers in the ``<IDS:phrase>`` tags of a caption
are segment ids of the PNG of this prediction, never positions. ``meta.json`` tells of the model; it is optional.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats import strict_json
from vismark.formats.caption_submission import CaptionReader, Findings, listed
from vismark.formats.panoptic import PanopticTruth, PredictedAnnotation
from vismark.formats.panoptic_entries import EntryReader
from vismark.formats.panoptic_submission import PanopticSubmission, check_coverage, check_folder
from vismark.formats.tags import MEANINGS, Grounded, parse
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

NAME, FOLDER, META = "predictions.jsonl", "panoptic", "meta.json"

_BYTES_PER_IMAGE = 1 << 19
_SMALLEST_LIMIT = 16 << 20
_META_LIMIT = 1 << 20


class Meta(msgspec.Struct, frozen=True):
    """What ``meta.json`` may say; all of it is optional and nothing of it changes a number."""

    model: str = ""
    training_data: str = ""
    split: str = ""
    id_base: str = "segment_id"
    date: str = ""
    text: str = ""


@dataclass(frozen=True)
class GroundedSubmission:
    """A grounded caption submission.

    Attributes:
        captions: sample id → parsed caption; the numbers of its tags are segment ids of the sample's PNG.
        panoptic: the maps.
    """

    captions: Mapping[str, Grounded]
    panoptic: PanopticSubmission

    @cached_property
    def texts(self) -> dict[str, str]:
        """The captions without tags, by sample id."""
        return {id: caption.plain for id, caption in self.captions.items()}


def locate(path: Path, problems: Problems) -> Path | None:
    """The JSON Lines file of a submission: `path` itself, or the one in the folder `path`."""
    if not path.is_dir():
        return path
    if (path / NAME).is_file():
        return path / NAME
    message, fix = f"the folder holds no {NAME}", f"Write {NAME}, a line an image, beside the folder {FOLDER}."
    if (path / ".journal").is_dir():
        fix = "The predictions are not finished: run the same `vismark predict` again; it goes on where it stopped."
    problems.add("SUB_FILE", message, file=path.name, fix=fix)
    return None


def read_grounded(
    path: Path, truth: PanopticTruth, split: str, problems: Problems, *, official: bool, wanted: Collection[str] | None
) -> tuple[GroundedSubmission, str] | None:
    """Read a submission and check everything that needs no pixel.

    Args:
        split: of the benchmark; another one in ``meta.json`` is a warning.
        official: read JSON as Python does.
        wanted: sample ids that must be there; None scores whichever are.

    Returns:
        The submission and the digest of its JSON Lines, or None with errors in `problems`.
    """
    limit = max(_SMALLEST_LIMIT, _BYTES_PER_IMAGE * len(truth.annotations))
    data = strict_json.read_bytes(path, problems, file=path.name, limit=limit)
    if data is None:
        return None
    _check_meta(path.with_name(META), split, problems)
    lines = strict_json.parse_lines(data, problems, file=path.name, official=official)
    places, items = [place for place, _ in lines], [item for _, item in lines]
    names = {id: one.image_id for id, one in truth.annotations.items()}
    items = [_renamed(item, names) for item in items]
    reader = EntryReader(truth, path.name, problems, official, places)
    annotations = reader.annotations(items)
    if annotations is None:
        return None
    captions = _captions(places, items, annotations, reader, Findings(problems, path.name))
    sound = {id: one for id, one in annotations.items() if id in captions}
    check_coverage(sound, reader.claimed, truth, problems, path.name, wanted)
    folder = path.with_name(FOLDER)
    if folder.is_symlink() or not folder.is_dir():
        what = "is a link" if folder.is_symlink() else "does not exist"
        fix = f"Put the PNGs into the folder {FOLDER} beside {path.name}."
        problems.add("SUB_PNG_FOLDER", f"the folder {FOLDER} with the PNGs {what}", file=path.name, fix=fix)
        return None
    check_folder(folder, items, problems)
    return GroundedSubmission(captions, PanopticSubmission(sound, folder, path.name)), digest_of(data)


def _renamed(item: Any, names: Mapping[str, int]) -> Any:
    """An entry whose image is called by its name, as those of Objects365 are, with its number."""
    stated = item.get("image_id") if isinstance(item, dict) else None
    if isinstance(stated, str) and not stated.isdigit() and stated in names:
        return item | {"image_id": names[stated]}
    return item


def _captions(
    places: list[str],
    items: list[Any],
    annotations: Mapping[str, PredictedAnnotation],
    entries: EntryReader,
    findings: Findings,
) -> dict[str, Grounded]:
    """The captions of the entries that were read, parsed; what is wrong with them is written down."""
    reader, found, untied = CaptionReader({}, findings), {}, []
    for place, item in zip(places, items, strict=True):
        stated = item.get("image_id") if isinstance(item, dict) else None
        sample = entries.by_image.get(int(stated)) if isinstance(stated, int | float) else None
        if sample is None:
            continue
        findings.where, findings.item = place, stated
        text = reader.caption(item, markup=True)
        if text is not None and sample in annotations:
            found[sample] = parse(text)
            if text.strip():
                untied += [] if found[sample].tags else [stated]
                _check_tags(found[sample], annotations[sample], findings)
    reader.tell_empty()
    if untied:
        message = f"{len(untied)} caption(s) ground no phrase: {listed(untied)}"
        fix = "Write <ID,ID:phrase>."
        findings.problems.add("TAG_NONE", message, severity="warning", file=findings.file, fix=fix)
    return found


def _check_tags(caption: Grounded, annotation: PredictedAnnotation, findings: Findings) -> None:
    for one in caption.findings:
        if one.code == "TAG_NONE":
            continue
        fix = "Write <ID,ID:phrase>."
        at = f"/caption, character {one.position}"
        findings.add(one.code, MEANINGS[one.code], fix, at=at, severity="warning")
    listed = {segment.id for segment in annotation.segments_info}
    absent = sorted({number for tag in caption.tags for number in tag.numbers} - listed)
    if absent:
        message = f"tags name segments that this prediction does not have: {absent[:10]}"
        fix = "Numbers in tags are ids of the PNG" + ("; 0 is void: are these positions?" if 0 in absent else ".")
        findings.add("SUB_TAG_SEGMENT", message, fix, at="/caption", value=str(absent[:10]), severity="warning")


def _check_meta(path: Path, split: str, problems: Problems) -> None:
    if not path.is_file():
        return
    data = strict_json.read_bytes(path, problems, file=META, limit=_META_LIMIT)
    try:
        meta = msgspec.json.decode(data or b"{}", type=Meta)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fix = f"Its fields are texts: {', '.join(Meta.__struct_fields__)}."
        problems.add("META_FORMAT", f"cannot be read: {error}", severity="warning", file=META, fix=fix)
        return
    if meta.id_base != "segment_id":
        message, fix = f"`id_base` is {meta.id_base!r}", "Numbers in tags must be ids of the prediction's own PNG."
        problems.add("META_ID_BASE", message, file=META, where="/id_base", value=meta.id_base, fix=fix)
    if meta.split not in ("", split):
        message, fix = f"the predictions are of the split {meta.split!r}, not {split!r}", "Score the right benchmark."
        problems.add("META_SPLIT", message, severity="warning", file=META, where="/split", value=meta.split, fix=fix)
