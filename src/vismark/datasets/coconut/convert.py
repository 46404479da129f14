"""Converts COCONut: hub tables to COCO panoptic files, and panoptic files to instances, without losing a pixel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.datasets.coconut.load import count_rows, read_rows
from vismark.formats import png
from vismark.formats.coco_categories import official_categories
from vismark.formats.document import read_document
from vismark.formats.findings import Report
from vismark.formats.maps import read_map
from vismark.formats.rle import area_of, box_of, compress
from vismark.formats.segments import Manner
from vismark.problems import Problems, Refused
from vismark.runtime.atomic import replacing, write_bytes
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

# `info` and the eight licences of COCO's panoptic files, which the official script writes too.
_HEADER = Path(__file__).with_name("header.json")

_CHUNK = 16
_MOST_BYTES = 1 << 28


class _Segment(msgspec.Struct):
    id: int
    category_id: int
    iscrowd: int = 0


class _Annotation(msgspec.Struct):
    image_id: int
    file_name: str
    segments_info: list[_Segment]


class _Kind(msgspec.Struct):
    id: int
    isthing: int


@dataclass(frozen=True)
class _Work:
    """What the conversion of an image needs to know."""

    folder: Path
    wanted: frozenset[int]


def tables_to_panoptic(source: Path, target: Path) -> Problems:
    """Write the tables of COCONut-S, -B or relabelled COCO-val as a COCO panoptic JSON and a folder of PNGs.

    PNGs are written byte for byte as they were uploaded; those that are there already are left, so that a killed
    conversion goes on where it stopped. The JSON is written last.

    Args:
        source: a table, or a folder of tables.
        target: the JSON file; the PNGs go into the folder of the same name without ``.json``.

    Returns:
        What was left out: rows without a mask or with a name that leads elsewhere.

    Raises:
        Refused: `source` is no such table.
    """
    problems, folder = Problems(), target.with_suffix("")
    report = Report(problems, source.name)
    images, annotations = [], []
    with Bar(f"writing {folder.name}", count_rows(source)) as bar:
        for number, row in enumerate(read_rows(source)):
            if not row.mask or not png.plain_name(f"{row.stem}.png"):
                message, fix = "the row has no mask or no plain file name", "`vismark validate` says more."
                report.error("ROW_LEFT_OUT", message, fix, where=f"/{number}", item=row.annotation.get("image_id", ""))
                continue
            path = folder / f"{row.stem}.png"
            if not path.is_file():
                write_bytes(path, row.mask)
            images.append(msgspec.Raw(msgspec.json.encode(row.image)))
            annotations.append(msgspec.Raw(msgspec.json.encode({**row.annotation, "file_name": path.name})))
            bar.advance()
    write_bytes(target, msgspec.json.encode({**header(), "images": images, "annotations": annotations}) + b"\n")
    return problems


def header() -> dict[str, Any]:
    """What COCONut's panoptic files hold beside images and annotations: `info`, licences, the 133 categories."""
    categories = [msgspec.structs.asdict(one) for one in official_categories().values()]
    return {**msgspec.json.decode(_HEADER.read_bytes()), "categories": categories}


def panoptic_to_instances(
    source: Path, target: Path, *, masks: Path | None = None, stuff: bool = False, jobs: int | None = None
) -> Problems:
    """Write the segments of a panoptic file as COCO instances: exact compressed run-length masks, no polygons.

    `area` is the number of pixels, `bbox` is of the pixels (its width xmax − xmin + 1; the official script is one
    short), `segment_id` the id in the PNG. Annotations are numbered from 1 in the order of the file.

    Args:
        source: the panoptic JSON.
        target: the instances JSON, replaced when it is complete.
        masks: folder of the PNGs; by default named like `source`.
        stuff: take stuff segments too, not things alone.
        jobs: number of threads; by default all cores.

    Returns:
        Warnings for segments without a pixel, which are skipped, and errors for PNGs that cannot be read, whose images
        have no annotations then.

    Raises:
        Refused: `source` is no panoptic file.
    """
    problems = Problems()
    annotations, categories, head = _read_panoptic(source, problems, stuff)
    work = _Work(masks or source.with_suffix(""), frozenset(one["id"] for one in categories))
    with replacing(target) as temporary, temporary.open("wb") as out:
        out.write(msgspec.json.encode({**head, "categories": categories})[:-1] + b',"annotations":[')
        for number, one in enumerate(_converted(annotations, work, problems, jobs), 1):
            out.write((b",\n" if number > 1 else b"\n") + msgspec.json.encode({"id": number, **one}))
        out.write(b"\n]}\n")
    return problems


def _read_panoptic(
    source: Path, problems: Problems, stuff: bool
) -> tuple[list[_Annotation], list[dict[str, Any]], dict[str, msgspec.Raw]]:
    """The annotations, the wanted categories as they are, and what goes into the new file unchanged."""
    document = read_document(source, problems)
    if document is None or problems.errors:
        raise Refused(problems)
    try:
        annotations = msgspec.json.decode(document.values.get("annotations", b""), type=list[_Annotation])
        listed = document.values.get("categories", b"")
        kinds = msgspec.json.decode(listed, type=list[_Kind])
        categories = msgspec.json.decode(listed, type=list[dict[str, Any]])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        fix = "`vismark validate` lists every fault."
        problems.add("REF_FORMAT", f"is no panoptic file: {error}", file=source.name, fix=fix)
        raise Refused(problems) from error
    wanted = [one for one, kind in zip(categories, kinds, strict=True) if stuff or kind.isthing == 1]
    kept = ("info", "licenses", "images")
    head = {name: raw for name, raw in document.values.items() if name in kept}
    return annotations, wanted, head


def _converted(
    annotations: Sequence[_Annotation], work: _Work, problems: Problems, jobs: int | None
) -> Iterator[dict[str, Any]]:
    """The instances of all images in their order; a few chunks of images are in memory at a time."""
    jobs = jobs or default_jobs()

    def convert(part: Sequence[tuple[int, _Annotation]]) -> list[tuple[int, list[dict[str, Any]], Problems]]:
        return [(number, *_convert(one, work)) for number, one in part]

    numbered = list(enumerate(annotations))
    with Bar("converting masks", len(numbered)) as bar:
        for block in chunks(numbered, _CHUNK * jobs):
            done = [one for some in map_chunks(convert, chunks(block, _CHUNK), jobs=jobs) for one in some]
            for _, instances, found in sorted(done, key=lambda one: one[0]):
                problems.extend(found)
                yield from instances
            bar.advance(len(block))


def _convert(one: _Annotation, work: _Work) -> tuple[list[dict[str, Any]], Problems]:
    """The instances of one image, and what is wrong with it."""
    report = Report(Problems(), f"{work.folder.name}/{one.file_name}")
    wanted = [segment for segment in one.segments_info if segment.category_id in work.wanted]
    try:
        if not png.plain_name(one.file_name):
            raise png.PngFault("PATH", "is no plain name", "Write the plain name, e.g. 000000142238.png.")
        data = png.read_file(work.folder / one.file_name, _MOST_BYTES, links=True)
        ids = read_map(data, None, one.image_id, report, Manner(strict=False, coconut=True))
    except png.PngFault as fault:
        report.error(f"PNG_{fault.fault}", f"{one.file_name} {fault}", fault.fix, item=one.image_id)
        return [], report.problems
    if ids is None:
        return [], report.problems
    found, size = [], (ids.shape[0], ids.shape[1])
    for segment, runs in zip(wanted, runs_of(ids, [segment.id for segment in wanted]), strict=True):
        if runs.size == 1:
            message, fix = f"segment {segment.id} has no pixel and was skipped", "Remove it from segments_info."
            report.warn("SEG_NOT_IN_PNG", message, fix, item=one.image_id, value=segment.id)
            continue
        found.append(
            {
                "image_id": one.image_id,
                "category_id": segment.category_id,
                "segment_id": segment.id,
                "segmentation": compress(runs, size),
                "area": area_of(runs),
                "bbox": box_of(runs, size[0]),
                "iscrowd": segment.iscrowd,
            }
        )
    return found, report.problems


def runs_of(ids: NDArray[np.integer], wanted: Iterable[int]) -> Iterator[NDArray[np.int64]]:
    """The run lengths of the masks `ids == id`, column by column, zeros first, for each wanted id.

    Args:
        ids: shape (height, width).

    Returns:
        int64 arrays; a single run of zeros for an id without a pixel.
    """
    flat = ids.ravel(order="F")
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    values, stops = flat[starts], np.append(starts[1:], flat.size)
    for id in wanted:
        own = values == id
        edges = np.stack([starts[own], stops[own]], axis=1).ravel()
        runs: NDArray[np.int64] = np.diff(np.concatenate([[0], edges, [flat.size]]))
        # A mask that reaches the last pixel has no run of zeros behind it.
        yield runs[:-1] if runs.size > 1 and not runs[-1] else runs
