"""COCONut's benchmarks: the same classes and numbers as COCO's; and the paper's Table 5, where the data are there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import vismark
from panoptic_builder import build
from vismark import registry

# COCO's own annotations of val2017 as a prediction of COCONut's (arXiv:2404.08639, Table 5), in percent.
TABLE_5 = {
    "official": {
        "PQ": 67.1, "SQ": 86.2, "RQ": 77.4,
        "PQ_th": 65.0, "SQ_th": 86.0, "RQ_th": 75.2,
        "PQ_st": 70.2, "SQ_st": 86.5, "RQ_st": 80.8,
    },
    "boundary": {
        "boundary_PQ": 59.2, "boundary_SQ": 79.4, "boundary_RQ": 74.5,
        "boundary_PQ_th": 58.6, "boundary_SQ_th": 80.7, "boundary_RQ_th": 72.4,
        "boundary_PQ_st": 60.1, "boundary_SQ_st": 77.3, "boundary_RQ_st": 77.6,
    },
}  # fmt: skip
# Read when the tests are collected: the session's own fixture takes the variable away.
DATA = Path(os.environ.get("VISMARK_DATA", ""))
COCO = (DATA / "coco/annotations/panoptic_val2017.json", DATA / "coco/panoptic_val2017")
COCONUT = (DATA / "coconut/relabeled_coco_val.json", DATA / "coconut/relabeled_coco_val")


@pytest.mark.slow
@pytest.mark.skipif(
    not all(path.exists() for path in (*COCO, *COCONUT)),
    reason="needs VISMARK_DATA with " + ", ".join(path.name for path in (*COCO, *COCONUT)),
)
@pytest.mark.parametrize("protocol", TABLE_5)
def test_table_5_from_annotations_alone(tmp_path: Path, protocol: str) -> None:
    shutil.copy(COCO[0], tmp_path / "coco.json")
    shutil.copytree(COCO[1], tmp_path / "coco")
    result = vismark.score("coconut-panoptic", tmp_path / "coco.json", root=DATA, protocol=protocol)
    percent = {name: 100 * value for name, value in result.metrics.items() if value is not None}
    assert percent == pytest.approx(TABLE_5[protocol], abs=0.05 + 1e-9)


@pytest.mark.parametrize("task", ["panoptic", "detection", "semantic"])
def test_cards_differ_from_coco_in_the_data_alone(task: str) -> None:
    coco, coconut = (registry.card("benchmarks", f"{name}-{task}") for name in ("coco", "coconut"))
    same = ("code", "task", "metrics", "headline", "protocols", "submission")
    assert [getattr(coco, name) for name in same] == [getattr(coconut, name) for name in same]
    assert coconut.split in registry.card("datasets", coconut.dataset).splits
    assert coconut.never_released


def test_segments_without_iscrowd_are_no_crowds(tmp_path: Path) -> None:
    """Some releases leave the field out."""
    case = build(tmp_path)
    before = vismark.score("coconut-panoptic", case.save().submission, references=case.references)
    for annotation in case.truth["annotations"]:
        for segment in annotation["segments_info"]:
            if segment["iscrowd"] == 0:
                del segment["iscrowd"]
    case.references.write_text(json.dumps(case.truth))
    after = vismark.score("coconut-panoptic", case.submission, references=case.references)
    assert after.metrics == before.metrics
