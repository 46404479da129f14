"""The official numbers: pycocotools' on COCO's own fake results, and on small random data in one run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vismark
from detection_builder import official, results, truth, write
from vismark.jobs.report import report
from vismark.runtime.tables import read_table

SMALL = Path(__file__).parents[3] / "shared" / "data" / "coco_small"
THEIRS = {"APs": "AP_S", "APm": "AP_M", "APl": "AP_L", "ARs": "AR_S", "ARm": "AR_M", "ARl": "AR_L"}
PROTOCOLS = {"boxes": "bbox", "masks": "segm"}


@pytest.mark.skipif(not SMALL.exists(), reason="COCO's 100 images (../shared/data/coco_small) are not here")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("mode", ["strict", "official"])
def test_real_coco_to_the_last_digit(protocol: str, mode: Any) -> None:
    key = PROTOCOLS[protocol]
    expected = json.loads((SMALL / "expected.json").read_text())["results"][key]
    gt = SMALL / "instances_val2014_100.json"
    file = SMALL / f"instances_val2014_fake{key}100_results.json"
    result = vismark.score("coco-detection", file, references=gt, protocol=protocol, mode=mode)
    assert result.metrics == {THEIRS.get(name, name): value for name, value in expected["stats"].items()}
    names = {one["id"]: one["name"] for one in json.loads(gt.read_text())["categories"]}
    assert result.breakdowns["category"].keys() == {names[int(id)] for id in expected["per_category"]}
    for id, numbers in expected["per_category"].items():
        got = result.breakdowns["category"][names[int(id)]]
        assert (got["AP"], got["AP50"], got["AR100"]) == (numbers["AP"], numbers["AP50"], numbers["AR"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", range(4))
def test_small_data_equal_pycocotools(tmp_path: Path, protocol: str, seed: int) -> None:
    content = truth(seed)
    detections = results(content, seed, masks=protocol == "masks")
    gt, file = write(tmp_path, content, detections)
    result = vismark.score("coco-detection", file, tmp_path / "r.json", references=gt, protocol=protocol)
    assert result.metrics == official(content, detections, protocol)
    table = read_table(tmp_path / "r.parquet")
    assert table["id"] == [str(picture["id"]) for picture in content["images"]]
    found = sum(table["TP"]) + sum(table["FN"])
    assert found == sum(not one["iscrowd"] for one in content["annotations"])


def test_a_part_is_scored_alone(tmp_path: Path) -> None:
    content = truth(1)
    detections = [one for one in results(content, 1) if one["image_id"] in (17, 27)]
    gt, file = write(tmp_path, content, detections)
    result = vismark.score("coco-detection", file, references=gt, partial=True)
    assert str(result.partial) == "PARTIAL 2/5000"
    part = content | {
        "images": [one for one in content["images"] if one["id"] in (17, 27)],
        "annotations": [one for one in content["annotations"] if one["image_id"] in (17, 27)],
    }
    assert result.metrics == official(part, detections, "boxes")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_predictions_come_back_as_they_were(tmp_path: Path, protocol: str) -> None:
    vismark.predict("oracle", "shapes-detection", tmp_path / "run", settings={"amount": 0.0})
    result = vismark.score("shapes-detection", tmp_path / "run", protocol=protocol)
    assert result.kind == "control"
    assert result.metrics["AP"] == 1.0 and result.metrics["AR100"] == 1.0
    assert result.metrics["AP_L"] is None and "METRIC_UNDEFINED" in {one.code for one in result.warnings}


def test_controls_bound_the_benchmark(tmp_path: Path) -> None:
    scores = {}
    for who, settings in (("oracle", {"amount": 0.05}), ("majority", {}), ("blank", {})):
        vismark.predict(who, "shapes-detection", tmp_path / who, settings=settings)
        result = vismark.score("shapes-detection", tmp_path / who, protocol="masks")
        scores[who] = result.metrics["AP"] or 0.0
    assert scores["oracle"] > 0.7 > 0.1 > scores["majority"] >= scores["blank"] == 0.0


def test_written_boxes_are_exact(tmp_path: Path) -> None:
    from vismark.formats.detection_write import image_results, write_results
    from vismark.tasks import Detections

    random = np.random.default_rng(0)
    corners = np.sort(random.uniform(0, 600, (50, 2, 2)), axis=1).reshape(50, 4).astype(np.float32)
    scores = random.random(50).astype(np.float32)
    write_results(tmp_path / "p.json", [image_results(7, Detections(corners, scores, np.arange(50)))])
    read = json.loads((tmp_path / "p.json").read_text())
    back = np.array([[x, y, x + w, y + h] for x, y, w, h in (one["bbox"] for one in read)])
    assert (back.astype(np.float32) == corners).all() and (back == corners.astype(np.float64)).all()
    assert [np.float32(one["score"]) for one in read] == scores.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_report_shows_categories_curves_errors_and_images(tmp_path: Path, protocol: str) -> None:
    vismark.predict("oracle", "shapes-detection", tmp_path / "run", settings={"amount": 0.3})
    vismark.score("shapes-detection", tmp_path / "run", tmp_path / "r.json", protocol=protocol)
    report(tmp_path / "r.json", output=tmp_path / "r.html", worst=3)
    page = (tmp_path / "r.html").read_text()
    for heading in ("By category", "Precision and recall", "Types of errors", "Most confused", "Worst images"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count('<article class="sample">') == 3


def shown(page: str) -> list[dict[str, Any]]:
    """The charts of a page."""
    return [
        json.loads(text) for text in re.findall(r'<script type="application/json" id="chart[^>]*>(.*?)</script>', page)
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_report_is_of_the_images_that_were_scored(tmp_path: Path, protocol: str) -> None:
    """Those without a detection, too: the curve at IoU 0.50 has the area AP50."""
    vismark.predict("oracle", "shapes-detection", tmp_path / "run", settings={"amount": 0.3})
    result = vismark.score("shapes-detection", tmp_path / "run", tmp_path / "r.json", protocol=protocol)
    assert "SUB_IMAGE_MISSING" in {one.code for one in result.warnings}
    report(tmp_path / "r.json", output=tmp_path / "r.html", worst=0)
    _, curves, _, _ = shown((tmp_path / "r.html").read_text())
    assert np.mean(curves["data"][0]["y"]) == pytest.approx(result.metrics["AP50"], abs=1e-12)


def test_report_counts_confusions_and_marks_what_is_wrong(tmp_path: Path) -> None:
    """Two circles, one of them taken for a square, and a detection where nothing is."""
    from vismark import registry
    from vismark.benchmarks.panels import Bars, Gallery, Outlines
    from vismark.jobs.prepare import Options, prepare

    content = {
        "images": [{"id": 5, "width": 80, "height": 60}],
        "categories": [{"id": 1, "name": "circle"}, {"id": 2, "name": "square"}],
        "annotations": [
            {"id": n, "image_id": 5, "category_id": 1, "bbox": box, "area": 100.0, "iscrowd": 0}
            for n, box in enumerate(([0, 0, 10, 10], [30, 30, 10, 10]), 1)
        ],
    }
    found = [(2, [30, 30, 10, 10], 0.9), (1, [0, 0, 10, 10], 0.8), (1, [60, 0, 10, 10], 0.7)]
    entries = [{"image_id": 5, "category_id": c, "bbox": box, "score": score} for c, box, score in found]
    gt, file = write(tmp_path, content, entries)
    prepared, _ = prepare("coco-detection", file, Options(references=gt))
    assert prepared is not None
    panels = registry.benchmark("coco-detection").panels(
        prepared.references, prepared.opened.submission, {}, [("5", "")]
    )
    confused = next(panel for panel in panels if isinstance(panel, Bars) and panel.title == "Most confused")
    assert [(bar.label, bar.value) for bar in confused.bars] == [("circle → square", 1.0)]
    (sample,) = next(panel for panel in panels if isinstance(panel, Gallery)).samples
    truth, best = sample.views
    assert isinstance(truth, Outlines) and truth.dashed == (False, True)
    assert isinstance(best, Outlines) and best.dashed == (True, False, True)


def test_twins_share_their_class() -> None:
    from vismark import registry

    assert type(registry.benchmark("shapes-detection")) is type(registry.benchmark("coco-detection"))
