"""The ground truth of detection: a COCO instances file, with the checks that a number depends on.

`vismark validate` looks at everything else. Columns, not records: 37,000 annotations are read in a third of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.formats.polygons import well_formed
from vismark.formats.rle import Rle, RleFault, checked_runs
from vismark.formats.strict_json import read_bytes
from vismark.problems import Problems
from vismark.runtime.digests import digest_of
from vismark.tasks import Category

# instances_train2017 has 450 MB.
_LIMIT = 2 << 30

Mask = dict[str, Any] | list[list[float]]


class TrueImage(msgspec.Struct, frozen=True):
    """An entry of `images`."""

    id: int
    width: int
    height: int
    file_name: str = ""
    coco_url: str = ""


class _Category(msgspec.Struct, frozen=True):
    id: int
    name: str = ""


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _File(msgspec.Struct):
    images: list[TrueImage]
    annotations: list[_Annotation]
    categories: list[_Category]


@dataclass(frozen=True)
class DetectionTruth:
    """An instances ground truth; the columns have one row an annotation, in the order of the file.

    Attributes:
        images: by sample id (the image id as text), in the order of the file.
        categories: by id, ascending.
        image_ids, category_ids, ids: int64.
        boxes: float64 of shape (N, 4): left, top, width, height.
        areas: float64, as stated.
        crowd: bool.
        segmentations: undecoded polygons or run lengths.
        pictures: the folder of the images, or None.
        digest: of the file.
        data: the file itself, kept in official mode for the official tool.
    """

    file: str
    images: dict[str, TrueImage]
    categories: dict[int, Category]
    ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    segmentations: Sequence[msgspec.Raw]
    folder: Path
    pictures: Path | None
    digest: str
    data: bytes | None = None
    defective: bool = False

    @cached_property
    def masks(self) -> list[Mask]:
        """The masks of all annotations as polygons or run lengths; checked by `check_masks`."""
        return _decoded(self.segmentations)

    def masks_of(self, rows: Sequence[int]) -> list[Mask]:
        """The masks of a few annotations."""
        return _decoded([self.segmentations[row] for row in rows])

    def rows_of(self, image_id: int) -> list[int]:
        """The rows of the annotations of an image, in the order of the file."""
        return self._rows.get(image_id, [])

    @cached_property
    def _rows(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for row, image_id in enumerate(self.image_ids.tolist()):
            found.setdefault(image_id, []).append(row)
        return found


def read_truth(path: Path, pictures: Path | None, problems: Problems, *, official: bool) -> DetectionTruth | None:
    """Read an instances file.

    Args:
        pictures: the folder of the images, when they are here.
        official: keep what pycocotools accepts in silence (the findings are demoted by `problems`).

    Returns:
        The truth, or None with errors in `problems`.
    """
    data = read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None:
        return None
    try:
        content = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        fix = "Name the official instances JSON; `vismark validate` lists the faults of a file of your own."
        problems.add("REF_FORMAT", f"is no instances ground truth: {error}", file=path.name, fix=fix)
        return None
    before = len(problems)
    _check(content, path.name, problems)
    if not content.images or not content.categories or _too_large(content):
        fix = "Name the official file."
        problems.add("REF_EMPTY", "there are no images or no categories, or ids above 2^53", file=path.name, fix=fix)
        return None
    rows = content.annotations
    return DetectionTruth(
        file=path.name,
        images={str(image.id): image for image in content.images},
        categories={one.id: Category(one.id, one.name or str(one.id)) for one in sorted(content.categories, key=_id)},
        ids=np.fromiter((row.id for row in rows), np.int64, len(rows)),
        image_ids=np.fromiter((row.image_id for row in rows), np.int64, len(rows)),
        category_ids=np.fromiter((row.category_id for row in rows), np.int64, len(rows)),
        boxes=np.array([row.bbox for row in rows], np.float64).reshape(-1, 4),
        areas=np.fromiter((row.area for row in rows), np.float64, len(rows)),
        crowd=np.fromiter((row.iscrowd == 1 for row in rows), np.bool_, len(rows)),
        segmentations=[row.segmentation for row in rows],
        folder=path.parent,
        pictures=pictures,
        digest=digest_of(data),
        data=data if official else None,
        defective=len(problems) > before,
    )


def check_masks(truth: DetectionTruth, problems: Problems) -> None:
    """Find masks that cannot be compared: no polygon of three points, run lengths that do not fill the image."""
    masks = truth.masks
    polygons = [row for row, mask in enumerate(masks) if _is_polygons(mask)]
    good = well_formed([masks[row] for row in polygons])  # type: ignore[misc]  # the list was just filtered for lists
    sound = {row for row, fine in zip(polygons, good, strict=True) if fine}
    sizes = {image.id: (image.height, image.width) for image in truth.images.values()}
    for row, mask in enumerate(masks):
        if row in sound:
            continue
        code, message, fix = _mask_fault(mask, sizes.get(int(truth.image_ids[row])))
        if code:
            where, item = f"/annotations/{row}/segmentation", truth.image_ids[row]
            problems.add(code, message, file=truth.file, where=where, item=item, fix=fix)


def _decoded(segmentations: Sequence[msgspec.Raw]) -> list[Mask]:
    found: list[Mask] = msgspec.json.decode(b"[" + b",".join(segmentations) + b"]")
    return found


def _mask_fault(mask: Any, size: tuple[int, int] | None) -> tuple[str, str, str]:
    """Code, message and remedy of a mask that is no sound polygon; three times "" when it is a sound run-length."""
    if not isinstance(mask, dict):
        return "SEGM_FORMAT", "the mask is no list of polygons of three points or more", "Mend the ground truth."
    try:
        checked_runs(Rle(mask.get("size"), mask.get("counts")), size)
    except RleFault as fault:
        return fault.code, str(fault), fault.fix
    return "", "", ""


def _is_polygons(mask: Any) -> bool:
    return isinstance(mask, list) and all(isinstance(one, list) and set(map(type, one)) <= {int, float} for one in mask)


def _id(record: _Category) -> int:
    return record.id


def _too_large(content: _File) -> bool:
    """Whether an id does not fit where the evaluators hold it (float64)."""
    ids = [i.id for i in content.images] + [c.id for c in content.categories]
    ids += [n for a in content.annotations for n in (a.id, a.image_id, a.category_id)]
    return max(map(abs, ids), default=0) >= 2**53


def _check(content: _File, file: str, problems: Problems) -> None:
    """What would make the number wrong."""

    def add(code: str, message: str, where: str, *, item: object = "", value: object = "") -> None:
        fix = "Mend the ground truth."
        problems.add(code, message, file=file, where=where, item=item, value=value, fix=fix)

    for code, where, ids in (
        ("IMAGE_ID_DUP", "/images", [image.id for image in content.images]),
        ("CATEGORY_DUP", "/categories", [one.id for one in content.categories]),
        ("CATEGORY_DUP", "/categories", [one.name for one in content.categories if one.name]),
        ("ANN_ID_DUP", "/annotations", [one.id for one in content.annotations]),
    ):
        for id in _repeated(ids):
            add(code, f"{id} occurs more than once", where, item=id, value=id)
    for number, image in enumerate(content.images):
        if min(image.width, image.height) < 1:
            add("IMAGE_SIZE", f"the image is {image.width}×{image.height} pixels", f"/images/{number}", item=image.id)
    images, categories = {image.id for image in content.images}, {one.id for one in content.categories}
    for number, one in enumerate(content.annotations):
        where = f"/annotations/{number}"
        if one.id == 0:
            message = "the id is 0, which pycocotools takes for «not matched»: a found object counts as missed"
            add("ANN_ID_ZERO", message, where + "/id", item=one.image_id, value=0)
        if one.image_id not in images:
            add("ANN_IMAGE_UNKNOWN", f"image {one.image_id} is not in `images`", where, value=one.image_id)
        if one.category_id not in categories:
            message = f"category {one.category_id} is not in `categories`"
            add("CATEGORY_UNKNOWN", message, where, item=one.image_id, value=one.category_id)
        if one.iscrowd not in (0, 1):
            add("ISCROWD", "iscrowd is neither 0 nor 1", where + "/iscrowd", item=one.image_id, value=one.iscrowd)
        if min(one.bbox[2:]) < 0:
            message = "the box has a negative width or height"
            add("BBOX_FORMAT", message, where + "/bbox", item=one.image_id, value=one.bbox)
        if one.area < 0:
            add("AREA_MISMATCH", "the area is negative", where + "/area", item=one.image_id, value=one.area)


def _repeated(ids: Sequence[Any]) -> list[Any]:
    if len(set(ids)) == len(ids):
        return []
    seen: set[Any] = set()
    twice: set[Any] = set()
    for id in ids:
        (twice if id in seen else seen).add(id)
    return sorted(twice)
