"""Brings the Objects365 parts of COCONut (val, L, XL) into COCO's panoptic form, and joins COCONut-val.

The rule of ids: an image of COCO keeps its id; the Objects365 image ``objects365_v2_00123456`` gets 1,000,123,456,
which no image of COCO has and from which its name can be read. PNGs are taken over byte for byte: linked where the disk
is the same. A killed run goes on: PNGs that are there are left, the JSON is written last. What is returned says what
was left out: images without a name, a PNG or a list of segments, and names that come again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vismark.datasets.coconut.convert import header
from vismark.datasets.coconut.load import objects365_name, xl_folder
from vismark.formats import png, strict_json
from vismark.formats.document import DECODE_FAULTS, Document, read_document
from vismark.formats.findings import Report
from vismark.problems import Problems, Refused, refuse
from vismark.runtime.atomic import link_or_copy, write_bytes
from vismark.runtime.progress import Bar

# Added to the eight digits of an Objects365 name; ids of COCO have six digits.
OBJECTS365 = 1_000_000_000

_MOST_BYTES = 1 << 28
_MOST_LIST = 1 << 24

Entry = dict[str, Any]


class _Annotation(msgspec.Struct):
    image_id: Any = None
    file_name: Any = None
    object365_file_name: Any = None
    segments_info: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True)
class _Row:
    """An annotation of the release: where it stands, the name of its image if a field has one, and its segments."""

    where: str
    name: str | None
    image: Entry
    segments: msgspec.Raw


@dataclass(frozen=True)
class _Whole:
    """An image in COCO's form, with its PNG."""

    image: Entry
    annotation: Entry
    png: Path


def join_validation(objects365: Path, masks: Path, relabelled: Path, target: Path) -> Problems:
    """Write COCONut-val, about 25,600 images, as one panoptic JSON and one folder of PNGs.

    Args:
        objects365: ``coconut_val.json`` as released.
        masks: the folder into which ``coconut_val.tar`` was unpacked.
        relabelled: the panoptic JSON of relabelled COCO-val, with its PNGs in the folder of the same name.
        target: the JSON file; the PNGs go into the folder named like it.

    Raises:
        Refused: one of the files is no panoptic JSON.
    """
    problems = Problems()
    base, part = _document(relabelled, problems), _document(objects365, problems)
    head = {name: raw for name, raw in base.values.items() if name not in ("images", "annotations")}
    images = {one.get("id"): one for one in _entries(base, "images", Entry)}
    folder = relabelled.with_suffix("")
    own = [
        _Whole(images.get(one.get("image_id"), {}), one, folder / Path(str(one.get("file_name"))).name)
        for one in _entries(base, "annotations", Entry)
    ]
    _write(target, head, [*own, *_whole(_rows(part), masks, part.report)])
    return problems


def large_to_panoptic(release: Path, target: Path) -> Problems:
    """Write the Objects365 part of COCONut-L as a panoptic JSON and a folder of PNGs.

    Args:
        release: its folder on the hub: one JSON, and the PNGs in a folder below it.

    Raises:
        Refused: there is not one JSON file, or it is no panoptic one.
    """
    files = sorted(release.rglob("*.json"))
    if len(files) != 1:
        fix = "Download it again: `vismark download coconut --split l`."
        raise refuse("RELEASE_FORMAT", f"holds {len(files)} JSON files instead of one", file=release.name, fix=fix)
    problems = Problems()
    part = _document(files[0], problems)
    _write(target, header(), _whole(_rows(part), release, part.report))
    return problems


def extra_large_to_panoptic(release: Path, large: Path, target: Path) -> Problems:
    """Write the part of COCONut-XL that is not in L as a panoptic JSON and a folder of PNGs.

    Segments of the category 0, a defect of the release, are left out: their pixels become unlabelled.

    Args:
        release: its folder on the hub, with ``panseg`` and ``panseg_info`` in it.
        large: what `large_to_panoptic` wrote; images of it are left out here (189 are expected).

    Raises:
        Refused: the folder is another one, or `large` is no panoptic JSON.
    """
    problems, folder = Problems(), xl_folder(release)
    if folder is None:
        fix = "Download it again: `vismark download coconut --split xl`."
        raise refuse("RELEASE_FORMAT", "holds no folder panseg_info", file=release.name, fix=fix)
    known = {Path(str(one.get("file_name"))).stem for one in _entries(_document(large, problems), "images", Entry)}
    rows = (row for row in _lists(folder / "panseg_info", problems) if row.name not in known)
    _write(target, header(), _whole(rows, folder / "panseg", Report(problems, "panseg_info")))
    return problems


def id_of(name: str) -> int:
    """The image id of ``objects365_v2_<8 digits>``."""
    return OBJECTS365 + int(name.rpartition("_")[2])


def _write(target: Path, head: Entry, found: Iterable[_Whole]) -> None:
    folder = target.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    with Bar(f"writing {folder.name}", None) as bar:
        for one in found:
            if one.png.is_file() and not (folder / one.png.name).exists():
                link_or_copy(one.png, folder / one.png.name)
            images.append(one.image)
            annotations.append(one.annotation)
            bar.advance()
    write_bytes(target, msgspec.json.encode({**head, "images": images, "annotations": annotations}) + b"\n")


def _rows(document: Document) -> Iterator[_Row]:
    """The annotations of a JSON of val or L; the name of an image stands in various fields."""
    records = {
        one.get("id"): one for one in _entries(document, "images", Entry) if isinstance(one.get("id"), int | str)
    }
    for number, one in enumerate(_entries(document, "annotations", _Annotation)):
        image = records.get(one.image_id, {}) if isinstance(one.image_id, int | str) else {}
        fields = {name: getattr(one, name) for name in ("object365_file_name", "file_name")}
        yield _Row(f"/annotations/{number}", objects365_name(fields, image), image, one.segments_info)


def _lists(folder: Path, problems: Problems) -> Iterator[_Row]:
    """The lists of segments of XL, one file an image."""
    for path in sorted(folder.glob("*.json")):
        data = strict_json.read_bytes(path, problems, file=path.name, limit=_MOST_LIST)
        listed = None if data is None else strict_json.parse(data, problems, file=path.name)
        if listed is not None:
            if isinstance(listed, list):
                listed = [one for one in listed if not isinstance(one, dict) or one.get("category_id") != 0]
            name = objects365_name({"file_name": path.name}, None)
            yield _Row(path.name, name, {}, msgspec.Raw(msgspec.json.encode(listed)))


def _whole(rows: Iterable[_Row], folder: Path, report: Report) -> list[_Whole]:
    """The images that can be taken, by name; why the others cannot is told."""
    pngs = {path.name.partition(".")[0]: path for path in sorted(folder.rglob("*.png"))}
    found: dict[str, _Whole] = {}
    for row in rows:
        name = row.name
        fault = _fault(row, pngs.keys(), found.keys())
        size = None if fault or name is None else _size(row.image, pngs[name], report)
        if size is not None and name is not None:
            id, (height, width) = id_of(name), size
            image = {"id": id, "file_name": f"{name}.jpg", "height": height, "width": width}
            annotation = {"image_id": id, "file_name": f"{name}.png", "segments_info": row.segments}
            found[name] = _Whole(image, annotation, pngs[name])
        elif fault:
            fix = "`vismark validate` says more."
            report.error("ROW_LEFT_OUT", fault, fix, where=row.where, item=name or "")
    return [one for _, one in sorted(found.items())]


def _fault(row: _Row, pngs: Iterable[str], found: Iterable[str]) -> str:
    """Why an annotation cannot be taken, or ""."""
    if row.name is None:
        return "no field holds a name of the form objects365_v2_<8 digits>"
    if row.name in found:
        return f"{row.name} has two annotations; the first is taken"
    if not bytes(row.segments).startswith(b"["):
        return f"{row.name} has no list of segments"
    return "" if row.name in pngs else f"{row.name}.png is not there"


def _size(image: Entry, path: Path, report: Report) -> tuple[int, int] | None:
    """(height, width) as the record says, else as the header of the PNG does; None, told, when that is broken."""
    height, width = image.get("height"), image.get("width")
    if type(height) is int and type(width) is int and min(height, width) > 0:
        return height, width
    try:
        head = png.inspect(png.read_file(path, _MOST_BYTES, links=True))
    except png.PngFault as fault:
        report.error("ROW_LEFT_OUT", f"{path.name} {fault}", fault.fix, item=path.stem)
        return None
    return head.height, head.width


def _document(path: Path, problems: Problems) -> Document:
    document = read_document(path, problems)
    if document is None or problems.errors:
        raise Refused(problems)
    return document


def _entries(document: Document, name: str, kind: type[Any]) -> list[Any]:
    try:
        return msgspec.json.decode(document.values.get(name, b"[]"), type=list[kind])  # type: ignore[valid-type]
    except DECODE_FAULTS as error:
        fix = "`vismark validate` lists every fault."
        document.report.error("REF_FORMAT", f"`{name}` is no list of objects: {error}", fix, where=f"/{name}")
        raise Refused(document.report.problems) from error
