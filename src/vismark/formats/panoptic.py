"""The COCO panoptic format: a JSON with one annotation an image, and an RGB PNG an image that holds segment ids.

The id of a pixel is R + 256·G + 65536·B; 0 is void (panopticapi 7bb4655, `rgb2id`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vismark.formats import png
from vismark.formats.strict_json import read_bytes
from vismark.problems import Problems
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.tasks import Category, Panoptic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ID = 2**24 - 1

# The largest official file, COCONut-val, has 98 MB.
_REFERENCE_LIMIT = 2 << 30


class TrueSegment(msgspec.Struct, frozen=True):
    """One entry of `segments_info` of the ground truth; `area` in pixels, as stated; no `iscrowd` is 0."""

    id: int
    category_id: int
    area: int
    iscrowd: int = 0


class TrueAnnotation(msgspec.Struct, frozen=True):
    """One image of the ground truth: the name of its PNG and its segments."""

    image_id: int
    file_name: str
    segments_info: tuple[TrueSegment, ...]


class ImageRecord(msgspec.Struct, frozen=True):
    """An entry of `images`: size in pixels and where the picture is."""

    id: int
    file_name: str = ""
    width: int = 0
    height: int = 0
    coco_url: str = ""


class CategoryRecord(msgspec.Struct, frozen=True):
    """An entry of `categories`."""

    id: int
    isthing: int
    name: str = ""


class _TruthFile(msgspec.Struct):
    annotations: list[TrueAnnotation]
    categories: list[CategoryRecord]
    images: list[ImageRecord] = []


@dataclass(frozen=True)
class PanopticTruth:
    """A panoptic ground truth.

    Attributes:
        annotations: by sample id (the stem of the PNG's name), in the order of the file.
        images: the image records by image id; empty when the file has none.
        folder: the folder of the PNGs.
        pictures: the folder of the images, or None.
        digest: of the JSON file.
    """

    annotations: dict[str, TrueAnnotation]
    images: dict[int, ImageRecord]
    categories: dict[int, Category]
    folder: Path
    pictures: Path | None
    digest: str

    @cached_property
    def largest_category(self) -> int:
        """The category whose stated areas sum to most; the smallest id of several."""
        areas = dict.fromkeys(sorted(self.categories), 0)
        for annotation in self.annotations.values():
            for segment in annotation.segments_info:
                areas[segment.category_id] += segment.area
        return max(areas, key=lambda category: areas[category])


class PredictedSegment(msgspec.Struct, frozen=True):
    """One entry of `segments_info` of a prediction."""

    id: int
    category_id: int


class PredictedAnnotation(msgspec.Struct, frozen=True):
    """One image of a prediction: the name of its PNG and its segments."""

    image_id: int
    file_name: str
    segments_info: tuple[PredictedSegment, ...]


def ids_from_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Segment ids, uint32 of shape (height, width), from RGB or RGBA pixels (alpha is ignored)."""
    import numpy as np

    wide = pixels[..., :3].astype(np.uint32)
    ids: NDArray[np.uint32] = wide[..., 0] | wide[..., 1] << np.uint32(8) | wide[..., 2] << np.uint32(16)
    return ids


def rgb_from_ids(ids: NDArray[np.unsignedinteger]) -> NDArray[np.uint8]:
    """RGB pixels, uint8 of shape (height, width, 3), from segment ids below 2^24."""
    import numpy as np

    return np.stack([ids >> shift & 0xFF for shift in (0, 8, 16)], axis=-1).astype(np.uint8)


def encode_ids(ids: NDArray[np.unsignedinteger]) -> bytes:
    """A PNG of segment ids; the same ids always give the same bytes with the same Pillow."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb_from_ids(ids)).save(buffer, format="PNG")
    return buffer.getvalue()


def read_ids(path: Path, limit: int = 1 << 28) -> NDArray[np.uint32]:
    """The segment ids in a PNG file.

    Raises:
        vismark.formats.png.PngFault: the file is no readable PNG.
    """
    data = png.read_file(path, limit, links=True)
    png.expect(png.inspect(data), None)
    return ids_from_rgb(png.decode(data))


def read_truth(path: Path, folder: Path | None, pictures: Path | None, problems: Problems) -> PanopticTruth | None:
    """Read a panoptic ground truth.

    Args:
        path: the JSON file.
        folder: the folder of its PNGs; by default the path without ``.json``, as panopticapi does.
        pictures: the folder of the images, when they are here.

    Returns:
        The truth, or None with errors in `problems`.
    """
    data = read_bytes(path, problems, file=path.name, limit=_REFERENCE_LIMIT)
    if data is None:
        return None
    try:
        content = msgspec.json.decode(data, type=_TruthFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problems.add(
            "REF_FORMAT",
            f"is no panoptic ground truth: {error}",
            file=path.name,
            fix="Name the official panoptic JSON; `vismark validate` lists the faults of a file of your own.",
        )
        return None
    folder = folder or path.with_suffix("")
    if not folder.is_dir():
        problems.add(
            "REF_MASKS_MISSING",
            f"the folder {folder.name} with the PNGs of the ground truth does not exist",
            file=path.name,
            fix="Unpack the inner zip beside the JSON, or name the folder with --references masks=DIR.",
        )
        return None
    truth = PanopticTruth(
        annotations={png_stem(one.file_name): one for one in content.annotations},
        images={one.id: one for one in content.images},
        categories={one.id: Category(one.id, one.name or str(one.id), one.isthing == 1) for one in content.categories},
        folder=folder,
        pictures=pictures,
        digest=digest_of(data),
    )
    _check_truth(content, truth, path.name, problems)
    return truth if truth.annotations and truth.categories else None


def png_stem(name: str) -> str:
    """The sample id in the name of a PNG: ``000000142238.png`` → ``000000142238``."""
    return name.removesuffix(".png")


def write_annotations(path: Path, annotations: Sequence[PredictedAnnotation]) -> None:
    """Write the JSON of a panoptic submission, atomically; the PNGs belong into the folder of the same name."""
    write_bytes(path, msgspec.json.encode({"annotations": annotations}) + b"\n")


def prediction_problems(prediction: Panoptic, size: tuple[int, int], categories: Iterable[int], item: str) -> Problems:
    """What is wrong with a predicted panoptic map before it is written; `size` is (height, width)."""
    import numpy as np

    problems = Problems()
    ids, known = np.asarray(prediction.ids), set(categories)
    if ids.shape != size:
        message = f"the map has shape {ids.shape}, the image is {size} (height, width)"
        problems.add("PREDICTION_SIZE", message, item=item, fix="Resize with nearest neighbours.")
    if not np.issubdtype(ids.dtype, np.integer) or (ids.size and not 0 <= int(ids.min()) <= int(ids.max()) <= MAX_ID):
        problems.add("PREDICTION_IDS", f"ids must be integers in 0 … {MAX_ID}", item=item, value=str(ids.dtype))
        return problems
    listed, painted = [one.id for one in prediction.segments], set(np.unique(ids).tolist()) - {0}
    if len(listed) != len(set(listed)) or set(listed) != painted:
        message = f"segments {sorted(set(listed) ^ painted)[:10]} are listed or painted, not both, or listed twice"
        problems.add("PREDICTION_SEGMENTS", message, item=item, fix="One Segment for each id in the map except 0.")
    for one in prediction.segments:
        if one.category not in known:
            problems.add("PREDICTION_CATEGORY", f"category {one.category} is unknown", item=item, value=one.category)
    return problems


def _check_truth(content: _TruthFile, truth: PanopticTruth, file: str, problems: Problems) -> None:
    """What would make the number wrong or the scoring fail; `validate` looks at everything else and at the pixels."""
    if not content.annotations or not content.categories:
        problems.add(
            "REF_EMPTY",
            "the ground truth has no annotations or no categories",
            file=file,
            fix="Name the official file.",
        )
    lists: tuple[tuple[str, str, Sequence[int | str]], ...] = (
        ("IMAGE_ID_DUP", "/images", [i.id for i in content.images]),
        ("IMAGE_ID_DUP", "/annotations", [a.image_id for a in content.annotations]),
        ("ANN_FILE_DUP", "/annotations", [a.file_name for a in content.annotations]),
        ("CATEGORY_DUP", "/categories", [c.id for c in content.categories]),
    )
    for code, pointer, ids in lists:
        for id in _repeated(ids):
            message, fix = f"{id} occurs more than once", "Keep one entry."
            problems.add(code, message, file=file, where=pointer, item=id, value=id, fix=fix)
    for number, category in enumerate(content.categories):
        if category.isthing not in (0, 1):
            message, where = f"isthing of category {category.id} is neither 0 nor 1", f"/categories/{number}/isthing"
            problems.add(
                "CATEGORY_ISTHING", message, file=file, where=where, value=category.isthing, fix="1: thing, 0: stuff."
            )
    for number, one in enumerate(content.annotations):
        _check_annotation(one, truth, file, f"/annotations/{number}", problems)


def _check_annotation(one: TrueAnnotation, truth: PanopticTruth, file: str, where: str, problems: Problems) -> None:
    def add(code: str, message: str, at: str = "", value: object = "", fix: str = "Mend the ground truth.") -> None:
        problems.add(code, message, file=file, where=where + at, item=one.image_id, value=value, fix=fix)

    if not png.plain_name(one.file_name) or not one.file_name.endswith(".png"):
        add("REF_PATH", "the file name is no plain PNG name", "/file_name", one.file_name)
    image = truth.images.get(one.image_id)
    if truth.images and image is None:
        add("ANN_IMAGE_UNKNOWN", f"image {one.image_id} is not in `images`", "/image_id", one.image_id)
    if image and (image.width, image.height) != (0, 0) and min(image.width, image.height) < 1:
        add("IMAGE_SIZE", f"image {one.image_id} is {image.width}×{image.height} pixels in `images`")
    for id in _repeated(segment.id for segment in one.segments_info):
        add("SEG_ID_DUP", f"segment {id} is listed twice", value=id)
    for place, segment in enumerate(one.segments_info):
        at = f"/segments_info/{place}"
        if not 0 < segment.id <= MAX_ID:
            add("SEG_ID_RANGE", f"segment ids are 1 … {MAX_ID}", at + "/id", segment.id)
        if segment.iscrowd not in (0, 1):
            add("ISCROWD", "iscrowd is neither 0 nor 1", at + "/iscrowd", segment.iscrowd)
        if segment.category_id not in truth.categories:
            message = f"category {segment.category_id} is not in `categories`"
            add("CATEGORY_UNKNOWN", message, at + "/category_id", segment.category_id)
    stated = sum(segment.area for segment in one.segments_info)
    if (image and image.width and stated > image.width * image.height) or any(s.area < 1 for s in one.segments_info):
        message = f"the stated areas sum to {stated} pixels and cannot be right; PQ is computed from them"
        fix = "`area` is the number of pixels with the id in the PNG; `vismark validate` recounts all."
        add("AREA_MISMATCH", message, "/segments_info", fix=fix)


def _repeated(ids: Iterable[int | str]) -> list[int | str]:
    seen: set[int | str] = set()
    twice: set[int | str] = set()
    for id in ids:
        (twice if id in seen else seen).add(id)
    return sorted(twice, key=str)
