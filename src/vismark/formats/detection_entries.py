"""One entry of a detection results file, from strangers: every field looked at, every fault with its place.

Only entries that a batch could not clear come here. What is tolerated in official mode is what pycocotools 2.0.11
takes without a word; its branch for a whole file is chosen by the file's first entry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from vismark.formats.panoptic_entries import kind
from vismark.formats.rle import Rle, RleFault, checked_runs
from vismark.problems import Problems

Kind = Literal["boxes", "masks"]

# Errors in one file after which reading stops.
_MOST_FAULTS = 20_000
# Larger numbers are no number to some readers.
_LARGEST = 1e300


class Enough(Exception):
    """So many errors that reading on would only take time."""


class Examiner:
    """Writes down what is wrong with single entries.

    Args:
        sizes: (height, width) by image id.
        categories: the known category ids.
        boxed: the first entry has a box, so that pycocotools takes the boxes of all entries.
    """

    def __init__(
        self,
        kind: Kind,
        sizes: Mapping[int, tuple[int, int]],
        categories: Mapping[int, Any],
        file: str,
        problems: Problems,
        *,
        official: bool,
        boxed: bool,
    ) -> None:
        self.kind = kind
        self.sizes = sizes
        self.categories = categories
        self.file = file
        self.problems = problems
        self.official = official
        self.boxed = boxed
        self.unknown_images: dict[Any, int] = {}
        self.unknown_categories: set[int] = set()
        self.faults = 0
        self.where = ""
        self.item: Any = ""

    def examine(self, number: int, item: Any) -> None:
        """Write down every fault of the entry `number`.

        Raises:
            Enough: there are too many errors already.
        """
        self.where, self.item = f"/{number}", ""
        if not isinstance(item, dict):
            self._add("FIELD_TYPE", f"a detection is an object, this is {kind(item)}", "Write an object.", value=item)
            return
        size = self._image(item)
        self._category(item)
        self._score(item)
        if self.kind == "boxes":
            self._boxes(item, size)
        else:
            self._masks(item, size)

    def _add(self, code: str, message: str, fix: str, at: str = "", value: Any = "") -> None:
        self.faults += code not in self.problems.demote
        if self.faults > _MOST_FAULTS:
            raise Enough
        shown = kind(value) if isinstance(value, dict | list) and len(value) > 8 else value
        where, item = self.where + at, self.item
        self.problems.add(code, message, file=self.file, where=where, item=item, value=shown, fix=fix)

    def _image(self, item: dict[str, Any]) -> tuple[int, int] | None:
        """The size of the entry's image; None when the image is unknown."""
        image_id = self._integer(item, "image_id")
        if image_id is None:
            return None
        self.item = image_id
        if image_id not in self.sizes:
            self.unknown_images[image_id] = self.unknown_images.get(image_id, 0) + 1
        return self.sizes.get(image_id)

    def _category(self, item: dict[str, Any]) -> None:
        stated = item.get("category_id")
        dropped = isinstance(stated, str) or (isinstance(stated, float) and not stated.is_integer())
        category = stated if self.official and dropped else self._integer(item, "category_id")
        if category is None or category in self.categories:
            return
        if isinstance(category, int):
            self.unknown_categories.add(category)
        message = f"category {str(category)[:40]} is not in the ground truth; pycocotools drops such detections"
        self._add("SUB_CATEGORY_UNKNOWN", message, "Write one of its category ids.", "/category_id", stated)

    def _score(self, item: dict[str, Any]) -> None:
        value = item.get("score")
        if isinstance(value, bool):
            self._add("FIELD_INTEGRAL", "`score` is a boolean, not a number", "Write a number.", "/score", value)
        elif not isinstance(value, int | float) or (isinstance(value, int) and abs(value) > _LARGEST):
            self._field(item, "score", "a number")
        elif not math.isfinite(value):
            fix = "Write finite scores: a NaN sorts last or first by chance and can raise the AP."
            self._add("SUB_SCORE", f"the score is {value}", fix, "/score", value)

    def _boxes(self, item: dict[str, Any], size: tuple[int, int] | None) -> None:
        if item.get("bbox") or (self.boxed and "bbox" in item):
            self._box(item)
        elif "segmentation" in item and not self.boxed:
            fix = "Score masks with --protocol masks, or write their boxes."
            self._add("SUB_KIND", "there is a mask and no box; pycocotools takes the box around it", fix)
        else:
            self._field(item, "bbox", "a list of four numbers [x, y, width, height]")
        if self.official and not self.boxed:
            self._mask(item, size)

    def _masks(self, item: dict[str, Any], size: tuple[int, int] | None) -> None:
        if "segmentation" not in item and self.boxed and "bbox" in item:
            fix = "Score boxes with --protocol boxes, or write masks."
            self._add("SUB_KIND", "there is a box and no mask; pycocotools takes the box as a rectangular mask", fix)
        else:
            self._mask(item, size)
        if self.official and self.boxed:
            self._box(item)

    def _box(self, item: dict[str, Any]) -> None:
        box: Any = item.get("bbox")
        if not _are_four_numbers(box):
            self._field(item, "bbox", "a list of four numbers [x, y, width, height]")
        elif not all(map(math.isfinite, box)):
            fix = "Write finite numbers; pycocotools lets NaN boxes raise the AP."
            self._add("SUB_BBOX", "the box has numbers that are not finite", fix, "/bbox", box)
        elif min(box[2:]) <= 0:
            fix = "Boxes are [x, y, width, height] in pixels, width and height above 0."
            self._add("SUB_BBOX", f"the box is {box[2]} wide and {box[3]} high", fix, "/bbox", box)

    def _mask(self, item: dict[str, Any], size: tuple[int, int] | None) -> None:
        mask = item.get("segmentation")
        if isinstance(mask, list):
            code = "SUB_POLYGON" if self.boxed else "FIELD_TYPE"
            fix = "Write compressed run lengths: pycocotools.mask.encode, counts decoded to text."
            self._add(code, "the mask is a polygon; results hold run lengths", fix, "/segmentation", mask)
            return
        if not isinstance(mask, dict) or not isinstance(mask.get("counts"), str):
            self._field(item, "segmentation", 'compressed run lengths {"size": [height, width], "counts": "…"}')
            return
        try:
            checked_runs(Rle(mask.get("size"), mask["counts"]), None)
        except RleFault as fault:
            code = "SUB_RLE_COUNTS" if fault.code == "RLE_COUNTS" else "FIELD_TYPE"
            self._add(code, str(fault), fault.fix, "/segmentation", mask["counts"])
            return
        if size is not None and tuple(mask["size"]) != size:
            swapped = tuple(mask["size"]) == size[::-1]
            message = f"the mask is {mask['size'][0]}×{mask['size'][1]}, the image {size[0]}×{size[1]} (height×width)"
            fix = "Height and width are swapped: size is [height, width]." if swapped else "Encode at the image's size."
            self._add("SUB_RLE_SIZE", message, fix, "/segmentation/size", mask["size"])

    def _integer(self, item: dict[str, Any], name: str) -> int | None:
        value = item.get(name)
        if type(value) is int:
            return value
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
            fix = "Write it without a decimal point." if isinstance(value, float) else "Write a number."
            self._add("FIELD_INTEGRAL", f"`{name}` is {kind(value)}, not an integer", fix, f"/{name}", value)
            return int(value)
        self._field(item, name, "an integer")
        return None

    def _field(self, item: dict[str, Any], name: str, wanted: str) -> None:
        if name not in item:
            self._add("MISSING_FIELD", f"`{name}` is missing", f"Add `{name}`: {wanted}.")
            return
        value = item[name]
        what = f"a list of {len(value)}" if isinstance(value, list) else kind(value)
        self._add("FIELD_TYPE", f"`{name}` is {what}, not {wanted}", f"Write {wanted}.", f"/{name}", value)


def _are_four_numbers(box: Any) -> bool:
    """Whether a value is a list of four numbers that fit into a float, NaN and infinity among them."""
    numbers = isinstance(box, list) and len(box) == 4 and set(map(type, box)) <= {int, float}
    return numbers and not any(isinstance(one, int) and abs(one) > _LARGEST for one in box)
