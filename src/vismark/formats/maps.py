"""Panoptic ground truth, the PNGs: each is compared with its annotation, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vismark.formats import png
from vismark.formats.findings import Report
from vismark.formats.idmaps import counts
from vismark.formats.panoptic import ids_from_rgb
from vismark.formats.segments import Listed, Manner
from vismark.problems import Problems
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A mask of any image; real ones have up to 200 kB.
_MOST_BYTES = 1 << 28

# Ids of one image that are named.
_MOST_IDS = 10

_CHUNK = 16


def check_maps(listed: Sequence[Listed], folder: Path, report: Report, manner: Manner, jobs: int | None = None) -> None:
    """Compare the PNGs in `folder` with their annotations; findings come in the order of the annotations."""

    def work(part: Sequence[Listed]) -> list[tuple[str, Problems]]:
        return [(one.where, check_map(one, _reader(folder, one), f"{folder.name}/{one.name}", manner)) for one in part]

    found: dict[str, Problems] = {}
    with Bar(f"reading {folder.name}", len(listed)) as bar:
        for part in map_chunks(work, chunks(listed, _CHUNK), jobs=jobs or default_jobs()):
            found.update((where, problems) for where, problems in part if len(problems))
            bar.advance(len(part))
    for one in listed:
        report.problems.extend(found.get(one.where, ()))


def check_map(one: Listed, read: Callable[[], bytes], file: str, manner: Manner) -> Problems:
    """What is wrong with one PNG.

    Args:
        read: gives its bytes; may raise PngFault.
        file: its name in findings.
    """
    report = Report(Problems(), file)
    try:
        ids = read_map(read(), one.size, one.image_id, report, manner)
    except png.PngFault as fault:
        code = f"PNG_{fault.fault}"
        report.error(code, f"{one.name} {fault}", fault.fix or "Write it again.", where=one.where, item=one.image_id)
    else:
        if ids is not None:
            _compare(one, counts(ids), report, manner)
    return report.problems


def read_map(
    data: bytes, size: tuple[int, int] | None, image_id: object, report: Report, manner: Manner
) -> NDArray[np.integer] | None:
    """The segment ids of a PNG, shape (height, width); None with an error in `report`.

    Args:
        size: the (height, width) that it must have, or None.

    Raises:
        PngFault: it is no readable PNG of that size.
    """
    header = png.inspect(data)
    png.expect(header, size)
    if header.colour == "grey" and header.depth in (8, 16) and manner.coconut:
        message = "has one channel: known of COCONut-XL; its values are taken as ids"
        report.warn("PNG_GREY", message, "Write RGB to be readable by panopticapi.", item=image_id)
        return png.decode_values(data)
    if header.depth != 8 or header.colour not in ("RGB", "RGBA"):
        message = f"is {header.colour} with {header.depth} bits, not RGB with 8 bits"
        fix = "Write ids as R + 256·G + 65536·B into an 8-bit RGB PNG."
        report.error("PNG_FORMAT", message, fix, item=image_id)
        return None
    if header.colour == "RGBA":
        report.add("PNG_FORMAT", "has an alpha channel", "Write RGB.", manner.severity, item=image_id)
    return ids_from_rgb(png.decode(data))


def _reader(folder: Path, one: Listed) -> Callable[[], bytes]:
    # An RGB file is about as large as its pixels at the most; links are the user's own (hub caches are made of them).
    limit = one.size[0] * one.size[1] * 4 + (1 << 20) if one.size else _MOST_BYTES
    return lambda: png.read_file(folder / one.name, limit, links=True)


def _compare(one: Listed, painted: dict[int, int], report: Report, manner: Manner) -> None:
    total = sum(painted.values())
    painted = {id: count for id, count in painted.items() if id != 0}
    if not painted and (one.areas or one.void):
        message = f"is void everywhere, but the annotation lists {len(one.areas) + len(one.void)} segments"
        fix = "Download the newer upload; an early one of COCONut-XL had empty masks."
        report.error("PNG_ALL_VOID", message, fix, where=one.where, item=one.image_id)
        return
    for id, area in one.areas.items():
        if id not in painted:
            fix = "Remove it from segments_info, or paint it."
            message = f"segment {id} has no pixel in the PNG"
            report.error("SEG_NOT_IN_PNG", message, fix, where=one.where, item=one.image_id, value=id)
        elif area is not None and area != painted[id]:
            message = f"segment {id} states the area {area:,}, the PNG has {painted[id]:,} pixels"
            fix = "`area` is the number of pixels; PQ is computed from it."
            report.add("AREA_MISMATCH", message, fix, manner.severity, where=one.where, item=one.image_id, value=area)
    unlisted = sorted(painted.keys() - one.areas.keys() - one.void)
    for id in unlisted[:_MOST_IDS]:
        message = f"id {id} covers {painted[id]:,} pixels ({painted[id] / total:.2%}) but is not in segments_info"
        fix = "List the segment, or paint it 0; official code counts these pixels for no segment."
        report.warn("SEG_NOT_IN_JSON", message, fix, where=one.where, item=one.image_id, value=id)
    if len(unlisted) > _MOST_IDS:
        message = f"{len(unlisted) - _MOST_IDS} more ids of the PNG are not in segments_info"
        fix = "Was it resized with interpolation, or saved as JPEG in between?"
        report.warn("SEG_NOT_IN_JSON", message, fix, where=one.where, item=one.image_id)
