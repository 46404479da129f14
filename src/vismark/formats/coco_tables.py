"""The lists `images` and `categories` that all annotation files of the COCO family have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from vismark.formats.coco_categories import official_categories
from vismark.formats.document import Document
from vismark.formats.findings import Report
from vismark.formats.panoptic_entries import kind
from vismark.formats.records import LARGEST, Batch, batches, true_at
from vismark.problems import Severity

_RENUMBER = "Give every entry an id of its own."


class _Image(msgspec.Struct, gc=False):
    id: Any = UNSET
    file_name: Any = UNSET
    width: Any = UNSET
    height: Any = UNSET
    license: Any = UNSET
    coco_url: Any = UNSET
    flickr_url: Any = UNSET
    date_captured: Any = UNSET


@dataclass(frozen=True)
class ImageTable:
    """The entries of `images`, by ascending id.

    Attributes:
        ids: int64, sorted, each once.
        heights, widths: int64, in pixels; 0 where not known.
        names: file names; "" where not known.
        places: positions in the file's list.
    """

    ids: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    names: Sequence[str]
    places: NDArray[np.int64]

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of image ids in this table, -1 for those that are not in it."""
        if not self.ids.size:
            return np.full(ids.shape, -1)
        places = np.minimum(np.searchsorted(self.ids, ids), self.ids.size - 1)
        return np.where(self.ids[places] == ids, places, -1)

    def size(self, place: int) -> tuple[int, int] | None:
        """(height, width) of the image at a position of this table; None when it is not known."""
        if place < 0 or not self.heights[place] or not self.widths[place]:
            return None
        return int(self.heights[place]), int(self.widths[place])


def check_images(document: Document, *, sized: bool = True) -> ImageTable:
    """Check `images`: fields, sizes, repeated ids.

    Args:
        sized: whether `width` and `height` must be there.
    """
    columns: list[tuple[NDArray[Any], ...]] = []
    names: list[str] = []
    for batch in batches(document, "images", _Image, _Image, owner="id"):
        ids = batch.integers("id")
        heights, widths = (batch.integers(side, required=sized) for side in ("height", "width"))
        _check_sizes(batch, heights.values, widths.values, heights.known & widths.known)
        for field in ("coco_url", "flickr_url"):
            batch.strings(field, required=False, severity="warning")
        found, _ = batch.strings("file_name")
        places = np.array(batch.numbers, np.int64)
        keep = ids.known
        columns.append(tuple(one[keep] for one in (ids.values, heights.values, widths.values, places)))
        names += [name for name, kept in zip(found, keep, strict=True) if kept]
    empty = np.zeros(0, np.int64)
    ids_, heights_, widths_, places_ = (
        (np.concatenate([empty, *one]) for one in zip(*columns, strict=True))
        if (columns)
        else (empty, empty, empty, empty)
    )
    check_unique(document.report, "IMAGE_ID_DUP", "image", "/images", ids_, places_)
    kept, first = np.unique(ids_, return_index=True)
    in_range = np.maximum(heights_[first], 0), np.maximum(widths_[first], 0)
    return ImageTable(kept, *in_range, [names[one] for one in first], places_[first])


def check_unique(
    report: Report, code: str, what: str, pointer: str, ids: NDArray[np.int64], places: NDArray[np.int64]
) -> None:
    """Write down every id that occurs again, at the place where it does."""
    order = np.argsort(ids, kind="stable")
    again = order[1:][ids[order][1:] == ids[order][:-1]]
    for index in np.sort(again):
        id, where = int(ids[index]), f"{pointer}/{places[index]}/id"
        report.error(code, f"{what} {id} occurs more than once", _RENUMBER, where=where, item=id, value=id)


def check_categories(document: Document, *, panoptic: bool = False) -> dict[int, bool]:
    """Check `categories`: fields, repeated ids and names, and, when they are COCO's, the official list.

    Args:
        panoptic: `isthing` must be there.

    Returns:
        Category id → whether it is a thing.
    """
    listed = document.value("categories")
    if not isinstance(listed, list):
        if "categories" not in document.values:
            document.report.error("MISSING_FIELD", "`categories` is missing", "Add the list of categories.")
        elif listed is not None:
            where, message = "/categories", f"`categories` is {kind(listed)}, no list"
            document.report.error("JSON_TOP_LEVEL", message, "Write a list of objects.", where=where)
        return {}
    fields: dict[str, tuple[type, str, bool]] = {
        "id": (int, "an integer", True),
        "name": (str, "a string", True),
        "supercategory": (str, "a string", False),
        "isthing": (int, "0 or 1", panoptic),
    }
    sound = [(n, one) for n, one in enumerate(listed) if _has_types(document.report, f"/categories/{n}", one, fields)]
    _check_repeats(document.report, sound)
    for number, one in sound:
        if one.get("isthing", 0) not in (0, 1):
            _isthing(document.report, number, one, "isthing is neither 0 nor 1", "1: thing, 0: stuff.")
    if looks_official((one["id"], one["name"]) for _, one in sound):
        _compare(document.report, sound)
    return {one["id"]: one.get("isthing", 1) == 1 for _, one in sound}


def looks_official(categories: Iterable[tuple[int, str]]) -> bool:
    """Whether (id, name) pairs are meant as COCO's: more than half of them are in its list."""
    pairs, official = list(categories), official_categories()
    same = sum(id in official and official[id].name == name for id, name in pairs)
    return 2 * same > len(pairs)


def _check_sizes(
    batch: Batch[_Image], heights: NDArray[np.int64], widths: NDArray[np.int64], known: NDArray[np.bool_]
) -> None:
    for index in true_at(known & ((heights < 1) | (widths < 1))):
        shown = f"{widths[index]}×{heights[index]}"
        fix = "Write the size in pixels."
        batch.error(index, "IMAGE_SIZE", f"the image is {shown} pixels (width×height)", fix, value=shown)


def _has_types(report: Report, where: str, one: Any, fields: dict[str, tuple[type, str, bool]]) -> bool:
    if not isinstance(one, dict):
        report.error("FIELD_TYPE", f"an entry is an object, this is {kind(one)}", "Write an object.", where=where)
        return False
    sound = True
    for name, (wanted, words, required) in fields.items():
        if name not in one:
            if required:
                report.error("MISSING_FIELD", f"`{name}` is missing", f"Add `{name}`: {words}.", where=where)
                sound = False
        elif type(one[name]) is not wanted or (wanted is int and abs(one[name]) >= LARGEST):
            value = one[name]
            message, fix = f"`{name}` is {kind(value)}, not {words}", f"Write {words}."
            if wanted is int and type(value) is float and value.is_integer() and abs(value) < LARGEST:
                report.warn("FIELD_INTEGRAL", message, fix, where=f"{where}/{name}", value=value)
                one[name] = int(value)
            else:
                report.error("FIELD_TYPE", message, fix, where=f"{where}/{name}", value=value)
                sound = False
    return sound


def _check_repeats(report: Report, entries: Sequence[tuple[int, dict[str, Any]]]) -> None:
    for field in ("id", "name"):
        seen: set[Any] = set()
        for number, one in entries:
            value = one[field]
            if value in seen:
                where, message = f"/categories/{number}/{field}", f"the {field} {value!r:.60} occurs more than once"
                report.error("CATEGORY_DUP", message, _RENUMBER, where=where, value=value)
            seen.add(value)


def _compare(report: Report, entries: Sequence[tuple[int, dict[str, Any]]]) -> None:
    official = official_categories()
    for number, one in entries:
        known = official.get(one["id"])
        if known is None:
            continue
        if known.name != one["name"]:
            where, message = f"/categories/{number}/name", f"category {known.id} is {known.name!r} in COCO's list"
            report.warn("CATEGORY_NAME", message, "Use the official name.", where=where, value=one["name"])
        if one.get("isthing", known.isthing) in (0, 1) and one.get("isthing", known.isthing) != known.isthing:
            is_a = "a thing" if known.isthing else "stuff"
            _isthing(report, number, one, f"{known.name} is {is_a} in COCO's list", "Use the official list.")


def _isthing(report: Report, number: int, one: dict[str, Any], message: str, fix: str) -> None:
    severity: Severity = "error"
    where = f"/categories/{number}/isthing"
    report.add("CATEGORY_ISTHING", message, fix, severity, where=where, value=one["isthing"])
