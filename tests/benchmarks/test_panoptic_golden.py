"""The official numbers: panopticapi's on the panoptic sample, and on the shapes miniature in one run."""

from __future__ import annotations

import json
import multiprocessing.dummy
from pathlib import Path
from typing import Any

import pytest

import vismark
from vismark.datasets.shapes.write import ensure

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "panoptic_sample"
GROUPS = {"All": "", "Things": "_th", "Stuff": "_st"}


@pytest.mark.skipif(not SAMPLE.exists(), reason="the COCO panoptic sample (../shared/data/panoptic_sample) is not here")
@pytest.mark.parametrize(
    ("name", "file"), [("self", "panoptic_examples.json"), ("pred_a", "pred_a.json"), ("pred_b", "pred_b.json")]
)
def test_real_coco_sample(name: str, file: str) -> None:
    expected = json.loads((SAMPLE / "expected.json").read_text())["results"][name]
    result = vismark.score("coco-panoptic", SAMPLE / file, references=SAMPLE / "panoptic_examples.json")
    for group, suffix in GROUPS.items():
        for quality in ("pq", "sq", "rq"):
            assert result.metrics[quality.upper() + suffix] == pytest.approx(expected[group][quality], abs=1e-12)
        assert result.basis["PQ" + suffix].n == expected[group]["n"]
    truth = json.loads((SAMPLE / "panoptic_examples.json").read_text())
    names = {category["id"]: category["name"] for category in truth["categories"]}
    categories = result.breakdowns["category"]
    assert categories.keys() == {names[int(id)] for id in expected["per_category"]}
    for id, sums in expected["per_category"].items():
        got = categories[names[int(id)]]
        assert (got["TP"], got["FP"], got["FN"]) == (sums["tp"], sums["fp"], sums["fn"])
        assert got["iou"] == pytest.approx(sums["iou"], abs=1e-12)


def official(truth: Path, prediction: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """panopticapi's own result (threads in place of its worker processes)."""
    evaluation = pytest.importorskip("panopticapi.evaluation", reason="panopticapi-lite is not installed")
    monkeypatch.setattr(evaluation.multiprocessing, "Pool", multiprocessing.dummy.Pool)
    answer: dict[str, Any] = evaluation.pq_compute(str(truth), str(prediction))
    return answer


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.4])
def test_shapes_equal_panopticapi(
    tmp_path: Path, shapes_cache: Path, monkeypatch: pytest.MonkeyPatch, amount: float
) -> None:
    vismark.predict("oracle", "shapes-panoptic", tmp_path / "run", settings={"amount": amount})
    folder = ensure()
    theirs = official(folder / "annotations" / "panoptic_val.json", tmp_path / "run" / "predictions.json", monkeypatch)
    ours = vismark.score("shapes-panoptic", tmp_path / "run")
    for group, suffix in GROUPS.items():
        for quality in ("pq", "sq", "rq"):
            assert ours.metrics[quality.upper() + suffix] == pytest.approx(theirs[group][quality], abs=1e-12)
    if amount == 0:
        assert ours.metrics["PQ"] == 1.0


def test_twins_share_their_class() -> None:
    from vismark import registry

    assert type(registry.benchmark("shapes-panoptic")) is type(registry.benchmark("coco-panoptic"))
    for name in registry.cards("benchmarks"):
        registry.benchmark(name)


def test_controls_bound_the_benchmark(tmp_path: Path) -> None:
    scores = {}
    for who, settings in (("oracle", {"amount": 0.05}), ("majority", {}), ("blank", {})):
        vismark.predict(who, "shapes-panoptic", tmp_path / who, settings=settings)
        result = vismark.score("shapes-panoptic", tmp_path / who)
        assert result.kind == "control"
        scores[who] = result.metrics["PQ"] or 0.0
    assert scores["oracle"] > 0.8 > scores["majority"] > scores["blank"] == 0.0
