"""Panoptic ground truth, the JSON: every annotation and segment is checked; `maps` compares them with the PNGs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from vismark.formats import png
from vismark.formats.coco_tables import ImageTable
from vismark.formats.findings import Report
from vismark.formats.panoptic import MAX_ID
from vismark.formats.panoptic_entries import kind
from vismark.formats.records import Batch, is_number
from vismark.problems import Severity

# Category 0 occurs in COCONut-XL for pixels that are nothing.
VOID_CATEGORY = 0


@dataclass(frozen=True)
class Manner:
    """How a panoptic ground truth is looked at.

    Attributes:
        strict: a stated area that is not that of the PNG is an error, because PQ is computed from it; else a warning.
        coconut: the liberties of COCONut's releases are allowed, some with a warning: segments without `iscrowd` or
            `bbox`, the void category 0, PNGs with one channel.
    """

    strict: bool = True
    coconut: bool = False

    @property
    def severity(self) -> Severity:
        """Of what official code lets pass although it changes a number."""
        return "error" if self.strict else "warning"


@dataclass(frozen=True)
class Listed:
    """An annotation whose PNG can be looked at.

    Attributes:
        where: its JSON pointer.
        image_id: for findings.
        name: plain name of the PNG.
        size: (height, width) of the image, or None.
        areas: segment id → stated area in pixels, or None where none is stated; void segments are left out.
        void: ids of segments of the void category.
    """

    where: str
    image_id: int | str
    name: str
    size: tuple[int, int] | None
    areas: Mapping[int, int | None]
    void: frozenset[int] = frozenset()


class Annotation(msgspec.Struct, gc=False):
    """An annotation of any make; COCONut's L names its image in `object365_file_name`."""

    image_id: Any = UNSET
    file_name: Any = UNSET
    segments_info: Any = UNSET
    object365_file_name: Any = UNSET


class SegmentReader:
    """Checks the segments of one annotation after the other; `seen` are the categories of the last."""

    def __init__(self, categories: Mapping[int, bool], manner: Manner) -> None:
        self.categories = categories
        self.manner = manner
        self.report: Report
        self.where = ""
        self.image: object = ""
        self.seen: set[int | None] = set()

    def read(
        self, report: Report, where: str, image: object, segments: Any, size: tuple[int, int] | None
    ) -> tuple[dict[int, int | None], frozenset[int]] | None:
        """Areas by segment id, and the ids of void segments; None when `segments` is no list.

        Args:
            where: JSON pointer of the annotation.
            image: id of the image, for findings.
            size: (height, width) of the image, or None.
        """
        self.report, self.where, self.image = report, f"{where}/segments_info", image
        if not isinstance(segments, list):
            missing = segments is UNSET or segments is None
            message = "`segments_info` is missing" if missing else f"`segments_info` is {kind(segments)}, no list"
            self._add("MISSING_FIELD" if missing else "FIELD_TYPE", message, "Write the list of segments.")
            return None
        areas: dict[int, int | None] = {}
        void: set[int] = set()
        kinds: Counter[tuple[int | None, int]] = Counter()
        for number, segment in enumerate(segments):
            found = self._segment(number, segment, size)
            if found is None:
                continue
            id, category, area, crowd = found
            if id in areas or id in void:
                self._add("SEG_ID_DUP", f"segment {id} is listed twice", "Keep one.", f"/{number}/id", id)
            elif category == VOID_CATEGORY and self.manner.coconut and category not in self.categories:
                void.add(id)
            else:
                areas[id] = area
                kinds[category, crowd] += 1
        self._check_kinds(kinds)
        self.seen = {category for category, _ in kinds}
        return areas, frozenset(void)

    def _segment(
        self, number: int, segment: Any, size: tuple[int, int] | None
    ) -> tuple[int, int | None, int | None, int] | None:
        """Id, category, area and iscrowd of a segment whose id can be used."""
        if not isinstance(segment, dict):
            message = f"a segment is an object, this is {kind(segment)}"
            self._add("FIELD_TYPE", message, "Write an object.", f"/{number}", segment)
            return None
        id = self._integer(number, segment, "id")
        category = self._integer(number, segment, "category_id")
        area = self._integer(number, segment, "area", required=not self.manner.coconut)
        crowd = self._integer(number, segment, "iscrowd", required=not self.manner.coconut)
        self._check_box(number, segment.get("bbox", UNSET), size)
        if category is not None and category not in self.categories:
            self._unknown(number, category)
        if crowd not in (0, 1, None):
            self._add("ISCROWD", "iscrowd is neither 0 nor 1", "1: a crowd, 0: not.", f"/{number}/iscrowd", crowd)
        if id is not None and not 0 < id <= MAX_ID:
            fix = "The id is R + 256·G + 65536·B; 0 is void."
            self._add("SEG_ID_RANGE", f"segment ids are 1 … {MAX_ID}", fix, f"/{number}/id", id)
            return None
        return None if id is None else (id, category, area, crowd or 0)

    def _integer(self, number: int, segment: dict[str, Any], field: str, *, required: bool = True) -> int | None:
        value = segment.get(field, UNSET)
        if type(value) is int:
            return value
        at, code = f"/{number}/{field}", "ISCROWD" if field == "iscrowd" else ""
        if type(value) is float and value.is_integer():
            message, fix = f"`{field}` is a decimal number", "Write it without a decimal point."
            self._add("FIELD_INTEGRAL", message, fix, at, value, "warning")
            return int(value)
        if value is UNSET:
            if required:
                fix = f"Add `{field}`: an integer."
                self._add(code or "MISSING_FIELD", f"`{field}` is missing", fix, f"/{number}")
        else:
            message = f"`{field}` is {kind(value)}, not an integer"
            self._add(code or "FIELD_TYPE", message, "Write an integer.", at, value)
        return None

    def _unknown(self, number: int, category: int) -> None:
        at = f"/{number}/category_id"
        if category == VOID_CATEGORY and self.manner.coconut:
            message = "category 0 is no category: known of COCONut-XL; the pixels are void"
            self._add(
                "CATEGORY_VOID", message, "Remove the segment and paint it 0.", at, category, self.manner.severity
            )
        else:
            fix = "Write an id of the list `categories`, or add the category."
            self._add("CATEGORY_UNKNOWN", f"category {category} is not in `categories`", fix, at, category)

    def _check_box(self, number: int, box: Any, size: tuple[int, int] | None) -> None:
        if box is UNSET:
            return
        at, fix = f"/{number}/bbox", "bbox is [x, y, width, height]."
        if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
            self._add("BBOX_FORMAT", "bbox is not four numbers", fix, at, box)
        elif min(box[2:]) < 0:
            self._add("BBOX_FORMAT", "a side is negative", fix, at, box)
        elif min(box[2:]) == 0:
            self._add("BBOX_EMPTY", "the box has no area", fix, at, box, "warning")
        elif size and (min(box[:2]) < -1 or box[0] + box[2] > size[1] + 1 or box[1] + box[3] > size[0] + 1):
            message = f"the box ends outside the image of {size[1]}×{size[0]}"
            self._add("BBOX_OUTSIDE", message, "Clip it to the image.", at, box, "warning")

    def _check_kinds(self, kinds: Counter[tuple[int | None, int]]) -> None:
        for (category, crowd), count in kinds.items():
            if count < 2 or category is None:
                continue
            if crowd:
                message = f"category {category} has {count} crowd segments; only the last counts in PQ"
                self._add("CROWD_MULTI", message, "Merge them.", value=category, severity="warning")
            elif not self.categories.get(category, True):
                message = f"category {category} is stuff and has {count} segments"
                self._add("STUFF_DUP", message, "Merge them.", value=category, severity="warning")

    def _add(
        self, code: str, message: str, fix: str, at: str = "", value: Any = "", severity: Severity = "error"
    ) -> None:
        self.report.add(code, message, fix, severity, where=self.where + at, item=self.image, value=value)


def read_listed(
    batch: Batch[Annotation], images: ImageTable, reader: SegmentReader, names: Sequence[str | None] = ()
) -> list[Listed]:
    """Check a batch of annotations; those whose PNG can be looked at.

    Args:
        names: the names of the PNGs, for files in which `file_name` does not say it (None where there is none).
    """
    ids = batch.integers("image_id")
    at = np.where(ids.known, images.find(ids.values), -1)
    stated = names or [name or None for name in batch.strings("file_name")[0]]
    found = []
    for index, (one, name) in enumerate(zip(batch.records, stated, strict=True)):
        id, where = batch.owners[index], batch.where(index)
        if ids.known[index] and at[index] < 0:
            fix = "Add the image, or remove the annotation."
            batch.error(index, "ANN_IMAGE_UNKNOWN", f"image {id} is not in `images`", fix, field="image_id", value=id)
        size = images.size(int(at[index]))
        segments = reader.read(batch.report, where, id, one.segments_info, size)
        if name is not None and (not png.plain_name(name) or not name.endswith(".png")):
            fix = "Write the plain name, e.g. 000000142238.png."
            batch.error(index, "PNG_PATH", "the file name is no plain PNG name", fix, field="file_name", value=name)
        elif name is not None and segments is not None:
            found.append(Listed(where, id if isinstance(id, int) else str(id), name, size, *segments))
    return found
