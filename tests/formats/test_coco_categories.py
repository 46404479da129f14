"""The list of COCO's categories is the official one."""

from __future__ import annotations

import json

import pytest

from running import REPOSITORY
from vismark.formats.coco_categories import official_categories

OFFICIAL = REPOSITORY.parent / "shared" / "data" / "panoptic_sample" / "panoptic_coco_categories.json"


def test_things_come_first_and_ids_rise() -> None:
    found = list(official_categories().values())
    assert [one.isthing for one in found] == [1] * 80 + [0] * 53
    assert sorted(one.id for one in found) == [one.id for one in found]
    assert len({one.name for one in found}) == 133
    assert {one.id for one in found if one.isthing} == set(range(1, 91)) - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def test_equal_to_the_official_file() -> None:
    if not OFFICIAL.is_file():
        pytest.skip("the official list of categories is not here")
    for one, wanted in zip(official_categories().values(), json.loads(OFFICIAL.read_bytes()), strict=True):
        assert wanted == {
            "id": one.id,
            "name": one.name,
            "supercategory": one.supercategory,
            "isthing": one.isthing,
            "color": list(one.color),
        }
