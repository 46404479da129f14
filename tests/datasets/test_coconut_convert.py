"""Conversions lose nothing: masks come back pixel by pixel, PNGs byte by byte, and a killed run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as rle
from pycocotools.coco import COCO

import annotation_builder as build
from annotation_builder import Content, broken, rows, table, write_panoptic
from vismark.datasets.coco.load import load_instances
from vismark.datasets.coconut.convert import panoptic_to_instances, runs_of, tables_to_panoptic
from vismark.datasets.shapes.write import ensure
from vismark.formats.panoptic import encode_ids, read_ids, read_truth
from vismark.jobs.validate import validate
from vismark.problems import Problems, Refused


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.uint32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3)))
def test_runs_are_those_of_pycocotools(ids: np.ndarray) -> None:
    for id, runs in enumerate(runs_of(ids, range(4))):
        packed = rle.frPyObjects({"size": list(ids.shape), "counts": runs.tolist()}, *ids.shape)
        assert packed["counts"] == rle.encode(np.asfortranarray(ids == id, dtype=np.uint8))["counts"]
        assert runs.sum() == ids.size


def test_instances_of_shapes_are_its_masks_and_paint_its_maps(tmp_path: Path) -> None:
    source, target = ensure() / "annotations" / "panoptic_val.json", tmp_path / "instances.json"
    assert len(panoptic_to_instances(source, target, stuff=True)) == 0
    truth = read_truth(source, None, None, Problems())
    assert truth is not None
    made = load_instances(target)
    assert [one.id for one in made] == list(range(1, len(made) + 1))
    listed = json.loads(target.read_bytes())["annotations"]
    for annotation in truth.annotations.values():
        ids = read_ids(truth.folder / annotation.file_name)
        painted = np.zeros_like(ids)
        for one in made.of(annotation.image_id):
            id, mask = listed[one.id - 1]["segment_id"], made.mask(one)
            assert (mask == (ids == id)).all()
            rows_, columns = np.nonzero(mask)
            left, top = int(columns.min()), int(rows_.min())
            assert one.bbox == (left, top, columns.max() - left + 1, rows_.max() - top + 1)
            assert one.area == mask.sum()
            painted[mask] = id
        assert encode_ids(painted) == encode_ids(ids)


def test_pycocotools_reads_the_instances_and_validate_finds_nothing(tmp_path: Path) -> None:
    source, target = ensure() / "annotations" / "panoptic_val.json", tmp_path / "instances.json"
    panoptic_to_instances(source, target, jobs=2)
    assert len(validate(target)) == 0
    official, truth = COCO(str(target)), COCO(str(ensure() / "annotations" / "instances_val.json"))
    for image in truth.getImgIds():
        wanted = truth.loadAnns(truth.getAnnIds(imgIds=image))
        found = official.loadAnns(official.getAnnIds(imgIds=image))
        assert sorted((one["category_id"], one["iscrowd"], one["area"]) for one in wanted) == sorted(
            (one["category_id"], one["iscrowd"], one["area"]) for one in found
        )


def test_empty_segments_are_skipped_with_a_warning(tmp_path: Path) -> None:
    def add(content: Content) -> None:
        content["annotations"][0]["segments_info"].append({"id": 5, "category_id": 1, "area": 0, "iscrowd": 0})

    content, maps = build.panoptic()
    problems = panoptic_to_instances(write_panoptic(tmp_path, broken(content, add), maps), tmp_path / "out.json")
    assert [(one.code, one.severity, one.value) for one in problems] == [("SEG_NOT_IN_PNG", "warning", "5")]
    assert len(load_instances(tmp_path / "out.json")) == 4


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    content, maps = build.panoptic()
    path = write_panoptic(tmp_path, content, maps)
    (tmp_path / "file" / "000000000042.png").unlink()
    (tmp_path / "file" / "000000000073.png").write_bytes(b"no")
    problems = panoptic_to_instances(path, tmp_path / "out.json")
    assert [(one.code, one.item) for one in problems] == [("PNG_MISSING", "42"), ("PNG_FORMAT", "73")]
    path.write_text('{"annotations": 3}')
    with pytest.raises(Refused):
        panoptic_to_instances(path, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def test_tables_become_coco_files(tmp_path: Path) -> None:
    content, target = rows(), tmp_path / "panoptic_s.json"
    assert len(tables_to_panoptic(table(tmp_path, content), target)) == 0
    for row in content:
        written = tmp_path / "panoptic_s" / row["segments_info"]["file_name"]
        assert written.read_bytes() == row["mask"]["bytes"]
    assert len(validate(target)) == 0
    made = json.loads(target.read_bytes())
    assert [one["segments_info"] for one in made["annotations"]] == [
        [{key: one[key] for key in one} for one in row["segments_info"]["segments_info"]] for row in content
    ]
    assert made["images"] == [row["image_info"] for row in content]
    assert (len(made["categories"]), len(made["licenses"])) == (133, 8)


def test_finished_files_are_not_written_again(tmp_path: Path) -> None:
    content, target = rows(), tmp_path / "panoptic_s.json"
    path = table(tmp_path, content)
    tables_to_panoptic(path, target)
    first, second = sorted((tmp_path / "panoptic_s").glob("*.png"))
    before = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    tables_to_panoptic(path, target)
    assert (first.stat().st_mtime_ns, second.read_bytes()) == before


def test_names_that_lead_elsewhere_are_left_out(tmp_path: Path) -> None:
    content = broken(rows(), lambda c: c[0]["segments_info"].update(file_name="../../evil.png"))
    problems = tables_to_panoptic(table(tmp_path, content), tmp_path / "deep" / "panoptic_s.json")
    assert [one.code for one in problems] == ["ROW_LEFT_OUT"]
    assert not list(tmp_path.glob("*.png"))
    assert [one.name for one in (tmp_path / "deep" / "panoptic_s").iterdir()] == ["000000000073.png"]
