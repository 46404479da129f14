"""Joins the two released parts of COCONut-val: relabelled COCO-val and the Objects365 images.

The rule of ids: an image of COCO keeps its id; the Objects365 image ``objects365_v2_00123456`` gets 1,000,123,456,
which no image of COCO has and from which its name can be read. PNGs are taken over byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from vismark.datasets.coconut.load import objects365_name
from vismark.formats import png
from vismark.formats.document import DECODE_FAULTS, Document, read_document
from vismark.formats.findings import Report
from vismark.problems import Problems, Refused
from vismark.runtime.atomic import link_or_copy, write_bytes
from vismark.runtime.progress import Bar

# Added to the eight digits of an Objects365 name; ids of COCO have six digits.
OBJECTS365 = 1_000_000_000

_MOST_BYTES = 1 << 28

Entry = dict[str, Any]


def join_validation(objects365: Path, masks: Path, relabelled: Path, target: Path) -> Problems:
    """Write COCONut-val, about 25,600 images, as one COCO panoptic JSON and one folder of PNGs.

    A killed run goes on: PNGs that are there are left, the JSON is written last.

    Args:
        objects365: ``coconut_val.json`` as released.
        masks: the folder into which ``coconut_val.tar`` was unpacked.
        relabelled: the panoptic JSON of relabelled COCO-val, with its PNGs in the folder of the same name.
        target: the JSON file; PNGs are linked (copied where the disk is another) into the folder named like it.

    Returns:
        What was left out: images without a name, a PNG or a list of segments, and names that come again.

    Raises:
        Refused: one of the files is no panoptic JSON.
    """
    problems, folder = Problems(), target.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    base = _document(relabelled, problems)
    images, annotations = list(_entries(base, "images")), list(_entries(base, "annotations"))
    with Bar(f"joining {folder.name}", None) as bar:
        for one in annotations:
            _take(relabelled.with_suffix("") / Path(str(one.get("file_name"))).name, folder)
            bar.advance()
        for image, annotation, source in _foreign(_document(objects365, problems), masks):
            _take(source, folder)
            images.append(image)
            annotations.append(annotation)
            bar.advance()
    head = {name: raw for name, raw in base.values.items() if name not in ("images", "annotations")}
    write_bytes(target, msgspec.json.encode({**head, "images": images, "annotations": annotations}) + b"\n")
    return problems


def id_of(name: str) -> int:
    """The image id of ``objects365_v2_<8 digits>``."""
    return OBJECTS365 + int(name.rpartition("_")[2])


def _foreign(document: Document, folder: Path) -> Iterator[tuple[Entry, Entry, Path]]:
    """Image, annotation and PNG of every Objects365 image that is whole, by name."""
    pngs = {path.name.partition(".")[0]: path for path in sorted(folder.rglob("*.png"))}
    records = {one.get("id"): one for one in _entries(document, "images") if isinstance(one.get("id"), int | str)}
    named: dict[str, tuple[Entry, Entry]] = {}
    for number, one in enumerate(_entries(document, "annotations")):
        id = one.get("image_id")
        image = records.get(id) if isinstance(id, int | str) else None
        name = objects365_name(one, image)
        fault = _fault(name, one, pngs, named)
        if fault or name is None:
            fix = "`vismark validate` says more; it is not in the joined set."
            document.report.error("ROW_LEFT_OUT", fault, fix, where=f"/annotations/{number}", item=name or id)
            continue
        named[name] = (image or {}, one)
    for name, (image, one) in sorted(named.items()):
        id, size = id_of(name), _size(image, pngs[name], name, document.report)
        if size is not None:
            record = {"id": id, "file_name": f"{name}.jpg", "height": size[0], "width": size[1]}
            yield (
                record,
                {"image_id": id, "file_name": f"{name}.png", "segments_info": one["segments_info"]},
                pngs[name],
            )


def _fault(name: str | None, annotation: Entry, pngs: Mapping[str, Path], named: Mapping[str, object]) -> str:
    """Why an annotation cannot be taken, or ""."""
    if name is None:
        return "no field holds a name of the form objects365_v2_<8 digits>"
    if name in named:
        return f"{name} has two annotations; the first is taken"
    if not isinstance(annotation.get("segments_info"), list):
        return f"{name} has no list of segments"
    return "" if name in pngs else f"{name}.png is not in the archive"


def _size(image: Entry, path: Path, name: str, report: Report) -> tuple[int, int] | None:
    """(height, width) as the record says, else as the header of the PNG does; None, told, when that is broken."""
    sides = image.get("height"), image.get("width")
    if all(type(side) is int and side > 0 for side in sides):
        return sides  # type: ignore[return-value]
    try:
        header = png.inspect(png.read_file(path, _MOST_BYTES))
    except png.PngFault as fault:
        report.error("ROW_LEFT_OUT", f"{path.name} {fault}", fault.fix, item=name)
        return None
    return header.height, header.width


def _take(source: Path, folder: Path) -> None:
    """Bring a PNG into the joined folder, unless it is there."""
    if source.is_file() and not (folder / source.name).exists():
        link_or_copy(source, folder / source.name)


def _document(path: Path, problems: Problems) -> Document:
    document = read_document(path, problems)
    if document is None or problems.errors:
        raise Refused(problems)
    return document


def _entries(document: Document, name: str) -> list[Entry]:
    try:
        return msgspec.json.decode(document.values.get(name, b"[]"), type=list[Entry])
    except DECODE_FAULTS as error:
        fix = "`vismark validate` lists every fault."
        document.report.error("REF_FORMAT", f"`{name}` is no list of objects: {error}", fix, where=f"/{name}")
        raise Refused(document.report.problems) from error
