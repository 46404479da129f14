"""Checks of MSCOCO's annotation files, and of files in their formats."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from vismark import registry
from vismark.datasets.coco.karpathy import check_karpathy
from vismark.formats.captions import check_captions
from vismark.formats.coco_tables import ImageTable, check_categories, check_images
from vismark.formats.document import Document
from vismark.formats.findings import Report
from vismark.formats.instances import check_instances
from vismark.formats.maps import check_maps
from vismark.formats.pictures import check_pictures
from vismark.formats.records import batches
from vismark.formats.segments import Annotation, Listed, Manner, SegmentReader, read_listed

KINDS = ("instances", "keypoints", "stuff", "captions", "panoptic", "karpathy", "images")

# Captions of each split; the card holds the other counts (Lin et al., and the files themselves).
CAPTIONS = {"train2014": 414_113, "val2014": 202_654, "train2017": 591_753, "val2017": 25_014}

_SPLIT = re.compile(r"[a-z_]*_((?:train|val|test|unlabeled)20\d\d)")


@dataclass(frozen=True)
class Look:
    """How to look at an annotation file.

    Attributes:
        path: the file; counts are expected, pictures and PNGs are looked for by its name.
        images: the folder of the pictures; by default the one of the split beside the annotations, if it is there.
        masks: the folder of the PNGs; by default the one named like the file.
        manner: how strictly.
        jobs: threads for pictures and PNGs; by default all cores.
    """

    path: Path
    images: Path | None = None
    masks: Path | None = None
    manner: Manner = field(default_factory=Manner)
    jobs: int | None = None


def validate(document: Document, kind: str, look: Look) -> None:
    """Check an annotation file of one of `KINDS`; every finding goes into the document's report."""
    if kind == "karpathy":
        check_karpathy(document)
        return
    images = check_images(document)
    count = _check_annotations(document, kind, images, look)
    _check_counts(document, kind, images, count, look.path)
    folder = look.images or _beside(look.path, _split(look.path) or look.path.stem.rpartition("_")[2])
    if folder is not None:
        check_pictures(images, folder, document.report, look.jobs)


def find_masks(look: Look) -> Path | None:
    """The folder of the PNGs of a panoptic file: beside it, or beside its folder, as detectron2 has it."""
    for folder in (look.masks, look.path.with_suffix(""), look.path.parent.parent / look.path.stem):
        if folder is not None and folder.is_dir():
            return folder
    return None


def check_listed(listed: list[Listed], look: Look, report: Report) -> None:
    """Compare the PNGs of panoptic annotations, or say that their folder is not there."""
    folder = find_masks(look)
    if folder is None:
        message = f"the folder {look.path.stem} with the PNGs is not there; pixels were not looked at"
        fix = "Unpack the inner zip beside the JSON, or name the folder with --masks."
        report.error("PNG_MISSING", message, fix)
        return
    check_maps(listed, folder, report, look.manner, look.jobs)


def _check_annotations(document: Document, kind: str, images: ImageTable, look: Look) -> int | None:
    if kind == "captions":
        return check_captions(document, images)
    if kind == "panoptic":
        return _check_panoptic(document, images, look)
    if kind == "images":
        return None
    categories = check_categories(document)
    return check_instances(document, images, set(categories), keypoints=kind == "keypoints")


def _check_panoptic(document: Document, images: ImageTable, look: Look) -> int:
    reader = SegmentReader(check_categories(document, panoptic=True), look.manner)
    listed: list[Listed] = []
    total = 0
    for batch in batches(document, "annotations", Annotation, Annotation):
        listed += read_listed(batch, images, reader)
        total += len(batch.records)
    check_repeated(listed, document.report)
    check_listed(listed, look, document.report)
    return total


def check_repeated(listed: list[Listed], report: Report) -> None:
    """A panoptic file has one annotation an image, and a PNG for each."""
    for name, values in (("image_id", [one.image_id for one in listed]), ("file_name", [one.name for one in listed])):
        seen: set[object] = set()
        for one, value in zip(listed, values, strict=True):
            if value in seen:
                code = "IMAGE_ID_DUP" if name == "image_id" else "ANN_FILE_DUP"
                message, where = f"{name} {value} has two annotations", f"{one.where}/{name}"
                report.error(code, message, "Keep one.", where=where, item=one.image_id, value=value)
            seen.add(value)


def _check_counts(document: Document, kind: str, images: ImageTable, count: int | None, path: Path) -> None:
    """Compare with the known size of the split, when the name of the file tells it."""
    split = _split(path)
    known = registry.card("datasets", "coco").splits.get(split) if split else None
    if known is None or kind == "keypoints":
        return
    annotations = {"instances": known.annotations, "captions": CAPTIONS.get(split or ""), "panoptic": known.images}
    for what, wanted, found in (
        ("images", known.images, int(images.ids.size)),
        ("annotations", annotations.get(kind), count),
    ):
        if wanted is not None and found is not None and wanted != found:
            message = f"{split} has {wanted:,} {what}, the file has {found:,}"
            fix = "Is it a part, or an interrupted download?"
            document.report.warn("COUNT_UNEXPECTED", message, fix, where=f"/{what}", value=found)


def _split(path: Path) -> str | None:
    found = _SPLIT.fullmatch(path.stem)
    return found[1] if found else None


def _beside(path: Path, split: str) -> Path | None:
    folder = path.resolve().parent.parent / split
    return folder if path.parent.name == "annotations" and split and folder.is_dir() else None
