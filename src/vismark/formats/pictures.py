"""Whether pictures on disk have the sizes that annotations state; only their headers are read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from vismark.formats.coco_tables import ImageTable
from vismark.formats.findings import Report
from vismark.formats.png import plain_name
from vismark.problems import Problems
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

_CHUNK = 256


def check_pictures(images: ImageTable, folder: Path, report: Report, jobs: int | None = None) -> None:
    """Compare the pictures in `folder` with `images`; EXIF rotation is not applied, as in COCO.

    Pictures that are not there are counted in one warning: a part of a data set is a legitimate thing to have.
    """

    def work(part: Sequence[int]) -> tuple[Problems, int]:
        own, missing = Report(Problems(), report.file), 0
        for place in part:
            path = folder / images.names[place]
            if plain_name(images.names[place]) and path.is_file():
                _check(images, place, path, own)
            else:
                missing += 1
        return own.problems, missing

    absent, found = 0, []
    with Bar(f"measuring pictures in {folder.name}", images.ids.size) as bar:
        for problems, missing in map_chunks(work, chunks(range(images.ids.size), _CHUNK), jobs=jobs or default_jobs()):
            found += list(problems)
            absent += missing
            bar.advance(_CHUNK)
    report.problems.extend(sorted(found, key=lambda one: int(one.where.split("/")[2])))
    if absent:
        message = f"{absent:,} of {images.ids.size:,} pictures are not in {folder.name}"
        report.warn("IMAGE_MISSING", message, "Download them, or name their folder with --images.", where="/images")


def _check(images: ImageTable, place: int, path: Path, report: Report) -> None:
    from PIL import Image

    where, id = f"/images/{images.places[place]}", int(images.ids[place])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing is decoded
            with Image.open(path, formats=["JPEG", "PNG"]) as picture:
                width, height = picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        message = f"{path.name} cannot be read: {error}"
        report.error("IMAGE_UNREADABLE", message, "Download it again.", where=where, item=id)
        return
    stated = images.size(place)
    if stated and stated != (height, width):
        message = f"{path.name} is {width}×{height}, the file says {stated[1]}×{stated[0]} (width×height)"
        fix = "Use the original pictures, without resizing or EXIF rotation."
        report.error("IMAGE_SIZE", message, fix, where=where, item=id, value=f"{width}×{height}")
