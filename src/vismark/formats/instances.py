"""Instances, stuff and keypoints of COCO: the record of an annotation, and every check of it, batch by batch."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from vismark.formats import polygons
from vismark.formats.coco_tables import ImageTable, check_unique
from vismark.formats.document import Document
from vismark.formats.panoptic_entries import kind
from vismark.formats.polygons import Polygon
from vismark.formats.records import Batch, Column, batches, is_number, true_at
from vismark.formats.rle import Rle, RleFault, area_of, checked_runs

# Boxes may end this many pixels outside the image: COCO's own are rounded.
_MARGIN = 1.0

# A stated area may differ by the larger of 5 pixels and 1 % of the mask's.
_PIXELS, _SHARE = 5.0, 0.01


class Loose(msgspec.Struct, gc=False):
    """An annotation of any make: what the checks look at, of any type."""

    id: Any = UNSET
    image_id: Any = UNSET
    category_id: Any = UNSET
    segmentation: Any = UNSET
    area: Any = UNSET
    bbox: Any = UNSET
    iscrowd: Any = UNSET
    keypoints: Any = UNSET
    num_keypoints: Any = UNSET


class _Shaped(Loose, gc=False):
    """An annotation whose mask has the right form, so that it can be checked with many others."""

    segmentation: list[Polygon] | Rle | UnsetType = UNSET


def check_instances(document: Document, images: ImageTable, categories: set[int], *, keypoints: bool = False) -> int:
    """Check `annotations` of an instances, stuff or keypoints file; the number of annotations that could be read.

    Args:
        keypoints: every annotation has `keypoints` and `num_keypoints`.
    """
    ids, places, total = [], [], 0
    for batch in batches(document, "annotations", _Shaped, Loose):
        id = batch.integers("id")
        ids.append(id.values[id.known])
        places.append(np.array(batch.numbers, np.int64)[id.known])
        total += len(batch.records)
        check_ids(batch, id)
        at = check_references(batch, images, categories)
        crowds = _check_crowds(batch)
        _check_boxes(batch, images, at)
        _check_masks(batch, images, at, crowds)
        if keypoints:
            _check_keypoints(batch)
    if ids:
        where = "/annotations"
        check_unique(document.report, "ANN_ID_DUP", "annotation", where, np.concatenate(ids), np.concatenate(places))
    return total


def check_ids(batch: Batch[Any], ids: Column) -> None:
    """Annotation ids begin at 1: pycocotools takes 0 for "no match"."""
    for index in true_at(ids.known & (ids.values < 1)):
        id, fix = int(ids.values[index]), "Number annotations from 1; the official evaluator takes 0 for no match."
        batch.error(index, "ANN_ID_ZERO", f"the annotation has the id {id}", fix, field="id", value=id)


def check_references(batch: Batch[Any], images: ImageTable, categories: set[int] | None) -> NDArray[np.int64]:
    """Check that the images (and categories, if any) exist; positions in `images`, -1 where there is none."""
    stated = batch.integers("image_id")
    at = np.where(stated.known, images.find(stated.values), -1)
    for index in true_at(stated.known & (at < 0)):
        id, fix = int(stated.values[index]), "Add the image, or remove the annotation."
        batch.error(index, "ANN_IMAGE_UNKNOWN", f"image {id} is not in `images`", fix, field="image_id", value=id)
    if categories is None:
        return at
    named = batch.integers("category_id")
    for index in true_at(named.known & ~np.isin(named.values, np.array(sorted(categories), np.int64))):
        id, message = int(named.values[index]), f"category {named.values[index]} is not in `categories`"
        fix = "Write an id of the list `categories`, or add the category."
        batch.error(index, "CATEGORY_UNKNOWN", message, fix, field="category_id", value=id)
    return at


def _check_crowds(batch: Batch[Loose]) -> NDArray[np.bool_]:
    """Check `iscrowd`; which annotations are crowds."""
    crowds = batch.integers("iscrowd", code="ISCROWD")
    for index in true_at(crowds.known & (crowds.values != 0) & (crowds.values != 1)):
        value, fix = int(crowds.values[index]), "1: a crowd, 0: one object."
        batch.error(index, "ISCROWD", "iscrowd is neither 0 nor 1", fix, field="iscrowd", value=value)
    found: NDArray[np.bool_] = crowds.known & (crowds.values == 1)
    for index in true_at(found):
        if isinstance(batch.records[index].segmentation, list):
            message, fix = "a crowd has polygons", "Crowds are run-length masks in COCO."
            batch.warn(index, "ISCROWD_POLYGON", message, fix, field="segmentation")
    return found


def _check_boxes(batch: Batch[Loose], images: ImageTable, at: NDArray[np.int64]) -> None:
    """Check `bbox`: four finite numbers, no negative side, within the image."""
    boxes = batch.column("bbox")
    good = np.ones(len(boxes), bool)
    if set(map(type, boxes)) != {list} or set(map(len, boxes)) != {4} or not _numeric(boxes):
        good = np.array([_is_box(batch, index, box) for index, box in enumerate(boxes)], bool)
        boxes = [box if fine else [0.0, 0.0, 1.0, 1.0] for box, fine in zip(boxes, good, strict=True)]
    x, y, width, height = np.array(boxes, np.float64).T
    negative = good & ((width < 0) | (height < 0))
    for index in true_at(negative):
        fix = "bbox is [x, y, width, height] with the corner top left."
        batch.error(index, "BBOX_FORMAT", "a side is negative", fix, field="bbox", value=boxes[index])
    for index in true_at(good & ~negative & ((width == 0) | (height == 0))):
        fix = "Remove the annotation, or draw its box."
        batch.warn(index, "BBOX_EMPTY", "the box has no area", fix, field="bbox", value=boxes[index])
    if not images.ids.size:
        return
    sized = good & ~negative & (at >= 0) & (images.widths[at] > 0) & (images.heights[at] > 0)
    right, bottom = x + width - images.widths[at], y + height - images.heights[at]
    outside = np.maximum.reduce([-x, -y, right, bottom])
    for index in true_at(sized & (outside > _MARGIN)):
        size = f"{images.widths[at[index]]}×{images.heights[at[index]]}"
        message, fix = f"the box ends {outside[index]:.1f} pixels outside the image of {size}", "Clip it to the image."
        batch.warn(index, "BBOX_OUTSIDE", message, fix, field="bbox", value=boxes[index])


def _numeric(lists: list[list[Any]]) -> bool:
    return all(is_number(value) for one in lists for value in one)


def _is_box(batch: Batch[Loose], index: int, box: Any) -> bool:
    if isinstance(box, list) and len(box) == 4 and _numeric([box]):
        return True
    if box is UNSET:
        batch.fault(index, "bbox", box, "[x, y, width, height]")
    else:
        message = f"bbox is {kind(box)}" + (f" of {len(box)}" if isinstance(box, list) else "") + ", not four numbers"
        fix = "Write [x, y, width, height] in pixels."
        batch.error(index, "BBOX_FORMAT", message, fix, field="bbox", value=box)
    return False


def _check_masks(batch: Batch[Loose], images: ImageTable, at: NDArray[np.int64], crowds: NDArray[np.bool_]) -> None:
    """Check `segmentation` and, for what is no crowd, `area` against it.

    Areas of COCO's own crowds are those of the regions that were drawn, up to a tenth off the mask; nothing uses them.
    """
    areas, masks = batch.reals("area"), batch.column("segmentation")
    kinds = np.array([type(one) is list for one in masks], bool)
    drawn = true_at(kinds)
    if any(type(batch.records[index]) is Loose for index in drawn):
        drawn = [index for index in drawn if _has_numbers(batch, index)]
    formed = polygons.well_formed([masks[index] for index in drawn]) if drawn else np.zeros(0, bool)
    for index in np.array(drawn, np.int64)[~formed].tolist():
        message = "a polygon needs at least three points, x and y for each"
        batch.error(index, "SEGM_FORMAT", message, "Write [[x1, y1, x2, y2, x3, y3, …], …].", field="segmentation")
    whole = np.array(drawn, np.int64)[formed]
    _check_polygon_areas(batch, images, at, whole[areas.known[whole] & ~crowds[whole]], areas.values)
    for index in true_at(~kinds):
        size = images.size(int(at[index]))
        found = _mask_area(batch, index, masks[index], size)
        if found is not None and areas.known[index] and not crowds[index]:
            _compare_area(batch, index, float(areas.values[index]), found)


def _has_numbers(batch: Batch[Loose], index: int) -> bool:
    """Whether the polygons of an entry that did not decode are lists of numbers."""
    mask = batch.records[index].segmentation
    if set(map(type, mask)) <= {list} and _numeric(mask):
        return True
    flat = bool(mask) and _numeric([mask])
    message = "segmentation is a list of numbers, not of polygons" if flat else "a polygon is no list of numbers"
    fix = "Write [[x1, y1, x2, y2, x3, y3, …], …]" + (": one pair of brackets more." if flat else ".")
    batch.error(index, "SEGM_FORMAT", message, fix, field="segmentation", value=mask)
    return False


def _check_polygon_areas(
    batch: Batch[Loose],
    images: ImageTable,
    at: NDArray[np.int64],
    chosen: NDArray[np.int64],
    stated: NDArray[np.float64],
) -> None:
    """Compare areas with the shoelace formula, as COCO's own are; where they differ, with the official raster."""
    if not chosen.size:
        return
    masks = [batch.records[index].segmentation for index in chosen]
    formula = polygons.areas(polygons.flatten(masks))
    for place in true_at(_differ(stated[chosen], formula)):
        index = int(chosen[place])
        size = images.size(int(at[index]))
        raster = polygons.raster_area(masks[place], size) if size else None
        _compare_area(batch, index, float(stated[index]), float(formula[place]) if raster is None else raster)


def _mask_area(batch: Batch[Loose], index: int, mask: Any, size: tuple[int, int] | None) -> int | None:
    """The pixels of a run-length mask; None with an error when it is none."""
    if isinstance(mask, dict):
        mask = Rle(mask.get("size", UNSET), mask.get("counts", UNSET))
    if not isinstance(mask, Rle):
        if mask is UNSET:
            batch.fault(index, "segmentation", mask, "polygons or a run-length mask")
        else:
            message, fix = f"segmentation is {kind(mask)}", "Write polygons, or an object with size and counts."
            batch.error(index, "SEGM_FORMAT", message, fix, field="segmentation", value=mask)
        return None
    try:
        return area_of(checked_runs(mask, size))
    except RleFault as fault:
        batch.error(index, fault.code, str(fault), fault.fix, field="segmentation")
        return None


def _differ(stated: NDArray[np.float64], mask: NDArray[np.float64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = ~np.isfinite(mask)
    found[~found] = np.abs(stated - mask)[~found] > np.maximum(_PIXELS, _SHARE * mask)[~found]
    return found


def _compare_area(batch: Batch[Loose], index: int, stated: float, mask: float) -> None:
    if bool(_differ(np.array([stated]), np.array([mask]))[0]):
        message = f"the stated area is {stated:,.1f}, the mask has {mask:,.0f} pixels"
        fix = "`area` is that of the mask, not of the box; it decides between small, medium and large."
        batch.warn(index, "AREA_MISMATCH", message, fix, field="area", value=stated)


def _check_keypoints(batch: Batch[Loose]) -> None:
    """Keypoints are triples x, y, v; what each of them means is not looked at."""
    batch.integers("num_keypoints")
    for index, points in enumerate(batch.column("keypoints")):
        if not isinstance(points, list) or len(points) % 3 or not _numeric([points]):
            batch.fault(index, "keypoints", points, "a list of triples x, y, v")
