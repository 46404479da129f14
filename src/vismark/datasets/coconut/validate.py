"""Checks of COCONut's releases; their known defects are named in the findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from vismark import registry
from vismark.datasets.coco.validate import Look, check_listed, check_repeated
from vismark.datasets.coconut.load import Row, count_rows, objects365_name, read_rows, tables, xl_folder
from vismark.formats import png, strict_json
from vismark.formats.coco_categories import official_categories
from vismark.formats.coco_tables import check_categories
from vismark.formats.document import Document
from vismark.formats.findings import Report
from vismark.formats.maps import check_map, check_maps
from vismark.formats.panoptic_entries import kind
from vismark.formats.records import batches
from vismark.formats.segments import Annotation, Listed, Manner, SegmentReader
from vismark.problems import Problem, Problems, Refused
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

KINDS = ("coconut",)

# Where the splits of the card are on the hub, and so in the names of files and folders.
_SPLITS = {"relabeled_coco_val": "relabeled-val", "coconut_s": "s", "coconut_b": "b"}
_LARGE = ("coconut_large", "object365")

# Image and category that version 9 on Kaggle lacks (issue 2 of the project).
_LACKING, _PERSON = 272411, 1

_CHUNK = 16
_LIMIT = 1 << 24


def is_release(path: Path) -> bool:
    """Whether a path is a table, a folder of tables, or the folder of XL."""
    return bool(tables(path)) or xl_folder(path) is not None


def looks_like_release(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> bool:
    """Whether the first entries of a panoptic file are COCONut's: `isthing` in segments, or images of Objects365."""
    segments = annotation.get("segments_info")
    first = segments[0] if isinstance(segments, list) and segments else None
    return (isinstance(first, dict) and "isthing" in first) or objects365_name(annotation, image) is not None


class _Image(msgspec.Struct, gc=False):
    id: Any = UNSET
    file_name: Any = UNSET
    object365_file_name: Any = UNSET
    object365_name: Any = UNSET
    width: Any = UNSET
    height: Any = UNSET


def validate(document: Document, look: Look) -> None:
    """Check a panoptic JSON of COCONut and its PNGs: ids may be names; `iscrowd` and sizes may lack."""
    manner = Manner(look.manner.strict, coconut=True)
    images = _read_images(document)
    reader = SegmentReader(_categories(document), manner)
    listed: list[Listed] = []
    foreign = total = 0
    for batch in batches(document, "annotations", Annotation, Annotation):
        for index, one in enumerate(batch.records):
            fields = {name: getattr(one, name) for name in ("file_name", "object365_file_name")}
            image = images.get(one.image_id) if isinstance(one.image_id, int | str) else None
            name = objects365_name(fields, image)
            foreign += name is not None
            stated = f"{name}.png" if name else one.file_name
            id = one.image_id if one.image_id is not UNSET else name
            listed += _read(batch.report, batch.where(index), id, stated, one.segments_info, image, reader, images)
        total += len(batch.records)
    check_repeated(listed, document.report)
    _check_split(document.report, look.path, total, foreign)
    check_listed(listed, replace(look, masks=look.masks or _beside(look.path), manner=manner), document.report)


def validate_release(path: Path, look: Look, problems: Problems) -> None:
    """Check a table, a folder of tables, or the folder of XL."""
    manner, folder = Manner(look.manner.strict, coconut=True), xl_folder(path)
    if folder is not None:
        _validate_xl(folder, manner, look.jobs, problems)
        return
    report = Report(problems, path.name)
    try:
        total = count_rows(path)
        _check_split(report, path, total, 0)
        _validate_rows(read_rows(path), total, report, manner, look.jobs)
    except Refused as refused:
        problems.extend(refused.problems)


def _read_images(document: Document) -> dict[object, dict[str, Any]]:
    """Image records by id, which is a number or a name; `size` is (height, width) or None."""
    found: dict[object, dict[str, Any]] = {}
    for batch in batches(document, "images", _Image, _Image, owner="id"):
        for index, one in enumerate(batch.records):
            if type(one.id) not in (int, str):
                batch.fault(index, "id", one.id, "an integer or a name")
                continue
            if one.id in found:
                batch.error(index, "IMAGE_ID_DUP", f"image {one.id} occurs more than once", "Keep one.", field="id")
            record = {name: getattr(one, name) for name in one.__struct_fields__}
            found[one.id] = {**record, "size": _size(record, batch.report, batch.where(index), one.id)}
    return found


def _size(image: Mapping[str, Any], report: Report, where: str, id: object) -> tuple[int, int] | None:
    """(height, width) of an image record; None when it has none (as in XL) or a wrong one."""
    sides = image.get("height", UNSET), image.get("width", UNSET)
    if UNSET in sides:
        return None
    if any(type(side) is not int or side < 1 for side in sides):
        message = f"the image is {sides[1]!r:.20}×{sides[0]!r:.20} pixels (width×height)"
        report.error("IMAGE_SIZE", message, "Write the size in pixels.", where=where, item=id)
        return None
    return sides


def _categories(document: Document) -> dict[int, bool]:
    """The categories of the file; COCO's when it has none, as the files of L do."""
    if "categories" in document.values:
        return check_categories(document, panoptic=True)
    return {one.id: one.isthing == 1 for one in official_categories().values()}


def _read(
    report: Report,
    where: str,
    id: object,
    name: object,
    segments: Any,
    image: Mapping[str, Any] | None,
    reader: SegmentReader,
    images: Mapping[object, Any] | None = None,
) -> list[Listed]:
    """Check one annotation; in a list, if its PNG can be looked at.

    Args:
        images: the image records, when the annotation must refer to one of them.
    """
    if not isinstance(id, int | str) or isinstance(id, bool):
        code, wanted = ("MISSING_FIELD" if id is UNSET else "FIELD_TYPE"), "an integer or a name"
        report.error(code, f"`image_id` is missing or {kind(id)}", f"Write {wanted}.", where=where)
        id = ""
    elif images and id not in images:
        message, fix = f"image {id} is not in `images`", "Add the image, or remove the annotation."
        report.error("ANN_IMAGE_UNKNOWN", message, fix, where=f"{where}/image_id", item=id, value=id)
    size = image.get("size") if image else None
    found = reader.read(report, where, id, segments, size)
    if not isinstance(name, str) or not png.plain_name(name):
        message, fix = "the file name is no plain name", "Write the plain name, e.g. 000000142238.png."
        report.error("PNG_PATH", message, fix, where=f"{where}/file_name", item=id, value=name if name else "")
        return []
    stem = name.partition(".")[0]
    if found and id == _LACKING and _PERSON not in reader.seen:
        message, fix = f"image {id} lacks the person", "This is version 9 from Kaggle; download a newer one."
        report.warn("COCONUT_OLD_VERSION", message, fix, where=where, item=id)
    return [Listed(where, id, f"{stem}.png", size, *found)] if found else []


def _check_split(report: Report, path: Path, total: int, foreign: int) -> None:
    """Compare the number of images with that of the split which the path names; L was a copy of S for a while."""
    name = f"{path.parent.name}/{path.stem}".lower()
    if total and not foreign and any(word in name for word in _LARGE):
        message = "no image is of Objects365: COCONut-L on the hub was a copy of S once"
        report.error("COCONUT_COPY", message, "Download it again, at the revision that the card names.", value=total)
    for word, split in _SPLITS.items():
        wanted = registry.card("datasets", "coconut").splits[split].images
        if word in (path.name, path.stem) and wanted not in (None, total):
            message, fix = f"{split} has {wanted:,} images, this has {total:,}", "Is it a part of the tables?"
            report.warn("COUNT_UNEXPECTED", message, fix, value=total)


def _beside(path: Path) -> Path | None:
    """The folder of the PNGs in the release of L: `panoptic_object365` beside its JSON."""
    folder = path.parent / "panoptic_object365"
    return folder if folder.is_dir() else None


def _validate_rows(rows: Iterator[Row], total: int, report: Report, manner: Manner, jobs: int | None) -> None:
    """Check the rows of tables, some dozens at a time; findings come in their order."""
    categories = {one.id: one.isthing == 1 for one in official_categories().values()}

    def work(part: Sequence[tuple[int, Row]]) -> list[tuple[int, list[Problem]]]:
        return [
            (number, _check_row(number, row, SegmentReader(categories, manner), report.file)) for number, row in part
        ]

    seen: set[object] = set()
    numbered = enumerate(rows)
    with Bar(f"checking {report.file}", total) as bar:
        while part := list(islice(numbered, _CHUNK * 8)):
            checked = map_chunks(work, chunks(part, _CHUNK), jobs=jobs or default_jobs())
            for _, problems in sorted((one for some in checked for one in some), key=lambda one: one[0]):
                report.problems.extend(problems)
            for number, row in part:
                id = str(row.annotation.get("image_id", ""))
                if id and id in seen:
                    where = f"/{number}/segments_info/image_id"
                    report.error("IMAGE_ID_DUP", f"image {id} occurs more than once", "Keep one.", where=where, item=id)
                seen.add(id)
            bar.advance(len(part))


def _check_row(number: int, row: Row, reader: SegmentReader, file: str) -> list[Problem]:
    report, where = Report(Problems(), file), f"/{number}"
    stated = row.annotation
    size = _size(row.image, report, f"{where}/image_info", stated.get("image_id", ""))
    listed = _read(
        report,
        f"{where}/segments_info",
        stated.get("image_id", UNSET),
        stated.get("file_name"),
        stated.get("segments_info", UNSET),
        {"size": size},
        reader,
    )
    for one in listed:
        report.problems.extend(check_map(one, lambda: row.mask, file, reader.manner))
    return list(report.problems)


def _validate_xl(folder: Path, manner: Manner, jobs: int | None, problems: Problems) -> None:
    """Check XL's release: a PNG and a list of segments an image, and no image records."""
    reader = SegmentReader({one.id: one.isthing == 1 for one in official_categories().values()}, manner)
    listed: list[Listed] = []
    files = sorted((folder / "panseg_info").glob("*.json"))
    with Bar("checking panseg_info", len(files)) as bar:
        for path in files:
            file = f"panseg_info/{path.name}"
            data = strict_json.read_bytes(path, problems, file=file, limit=_LIMIT)
            segments = None if data is None else strict_json.parse(data, problems, file=file)
            if segments is not None:
                listed += _read(Report(problems, file), "", path.stem, f"{path.stem}.png", segments, None, reader)
            bar.advance()
    check_maps(
        [replace(one, where=f"panseg_info/{one.image_id}.json") for one in listed],
        folder / "panseg",
        Report(problems, "panseg"),
        manner,
        jobs,
    )
