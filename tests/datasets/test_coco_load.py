"""Loaders give the records of the files, as pycocotools does, and refuse what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

import annotation_builder as build
from annotation_builder import broken, write
from running import REPOSITORY
from vismark.datasets.coco.karpathy import load_karpathy
from vismark.datasets.coco.load import load_captions, load_instances
from vismark.datasets.shapes.write import ensure
from vismark.problems import Refused

SAMPLE = REPOSITORY.parent / "shared" / "data" / "coco_small" / "instances_val2014_100.json"


def same_as_pycocotools(path: Path) -> None:
    ours, official = load_instances(path), COCO(str(path))
    assert list(ours.images) == official.getImgIds()
    assert list(ours.categories) == official.getCatIds()
    assert [one.id for one in ours] == list(official.anns)
    for image in ours.images:
        wanted = official.loadAnns(official.getAnnIds(imgIds=image))
        for one, other in zip(ours.of(image), wanted, strict=True):
            assert (one.id, one.category_id, one.area, list(one.bbox), one.iscrowd) == (
                other["id"],
                other["category_id"],
                other["area"],
                other["bbox"],
                other["iscrowd"],
            )
            assert (ours.mask(one) == official.annToMask(other).astype(bool)).all()


@pytest.mark.parametrize("name", ["shapes", "builder"])
def test_instances(name: str, tmp_path: Path) -> None:
    shapes = ensure() / "annotations" / "instances_val.json"
    same_as_pycocotools(shapes if name == "shapes" else write(tmp_path, build.instances()))


def test_official_instances() -> None:
    if not SAMPLE.is_file():
        pytest.skip("the official sample coco_small is not here")
    same_as_pycocotools(SAMPLE)


def test_images_without_annotations_are_kept(tmp_path: Path) -> None:
    content = broken(build.instances(), lambda c: c["annotations"].__delitem__(slice(0, 2)))
    ours = load_instances(write(tmp_path, content))
    assert list(ours.images) == [42, 73]
    assert ours.of(42) == []
    assert len(ours) == 2


def test_annotations_are_decoded_when_asked_for(tmp_path: Path) -> None:
    ours = load_instances(write(tmp_path, broken(build.instances(), lambda c: c["annotations"][1].update(area="x"))))
    assert next(iter(ours)).id == 1
    with pytest.raises(Refused, match="REF_FORMAT"):
        list(ours)


def test_masks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    content = broken(build.instances(), lambda c: c["annotations"][1]["segmentation"].update(counts=[5, 5]))
    ours = load_instances(write(tmp_path, content))
    with pytest.raises(Refused, match="RLE_COUNTS"):
        ours.mask(ours.of(42)[1])
    assert np.count_nonzero(ours.mask(ours.of(42)[0])) == 300


def test_captions(tmp_path: Path) -> None:
    ours = load_captions(write(tmp_path, build.captions()))
    assert {id: [one.id for one in found] for id, found in ours.of.items()} == {42: [1, 2], 73: [3]}
    with pytest.raises(Refused):
        load_captions(write(tmp_path, b"[]"))
    with pytest.raises(Refused):
        load_captions(tmp_path / "nothing.json")


def test_karpathy(tmp_path: Path) -> None:
    ours = load_karpathy(write(tmp_path, build.karpathy()))
    assert ours.ids("train", "restval") == [42, 43]
    assert ours.captions("test") == {44: [f"A dog number {n}." for n in range(10, 15)]}
    with pytest.raises(Refused):
        load_karpathy(write(tmp_path, {"images": [{}], "dataset": "coco"}))
