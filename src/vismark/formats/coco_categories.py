"""The 133 categories of COCO panoptic: names, kinds and colours, in the official order."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec


class OfficialCategory(msgspec.Struct, frozen=True, array_like=True):
    """A category as COCO publishes it; `isthing` is 0 or 1, `color` three numbers in 0 … 255."""

    id: int
    name: str
    supercategory: str
    isthing: int
    color: tuple[int, int, int]


class _File(msgspec.Struct):
    categories: tuple[OfficialCategory, ...]


@cache
def official_categories() -> dict[int, OfficialCategory]:
    """COCO's categories by id, 80 things then 53 stuff (source: panopticapi, `panoptic_coco_categories.json`)."""
    path = Path(__file__).with_name("coco_categories.toml")
    return {one.id: one for one in msgspec.toml.decode(path.read_bytes(), type=_File).categories}
