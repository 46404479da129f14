"""The protocol `boundary` of the panoptic benchmarks: the official numbers, and what a result of it holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vismark
from panoptic_builder import build
from vismark.problems import Refused, Usage

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "panoptic_sample"
GROUPS = {"All": "", "Things": "_th", "Stuff": "_st"}


@pytest.mark.skipif(not SAMPLE.exists(), reason="the COCO panoptic sample (../shared/data/panoptic_sample) is not here")
@pytest.mark.parametrize(
    ("name", "file"), [("self", "panoptic_examples.json"), ("pred_a", "pred_a.json"), ("pred_b", "pred_b.json")]
)
def test_real_coco_sample(name: str, file: str) -> None:
    expected = json.loads((SAMPLE / "expected.json").read_text())["boundary_pq"]["results"][name]
    result = vismark.score(
        "coco-panoptic", SAMPLE / file, references=SAMPLE / "panoptic_examples.json", protocol="boundary"
    )
    for group, suffix in GROUPS.items():
        for quality in ("pq", "sq", "rq"):
            number = result.metrics[f"boundary_{quality.upper()}{suffix}"]
            assert number == pytest.approx(expected[group][quality], abs=1e-12)
        assert result.basis[f"boundary_PQ{suffix}"].n == expected[group]["n"]
    assert {basis.kind for basis in result.basis.values()} == {"official"}


def test_a_result_holds_the_numbers_of_its_protocol(tmp_path: Path) -> None:
    vismark.predict("oracle", "shapes-panoptic", tmp_path / "run")
    plain = vismark.score("shapes-panoptic", tmp_path / "run")
    result = vismark.score("shapes-panoptic", tmp_path / "run", tmp_path / "result.json", protocol="boundary")
    assert result.metrics.keys() == {f"boundary_{name}" for name in plain.metrics}
    assert result.protocol_digest != plain.protocol_digest
    for name, value in plain.metrics.items():
        boundary = result.metrics[f"boundary_{name}"]
        if name.startswith(("PQ", "RQ")):  # the smaller IoU can only lose matches
            assert value is not None and boundary is not None and boundary <= value
    assert not vismark.verify(tmp_path / "result.json").errors
    vismark.report(tmp_path / "result.json", output=tmp_path / "report.html", worst=1)
    assert "boundary_PQ" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(Usage, match="protocol official of shapes-panoptic has no metric boundary_PQ"):
        vismark.score("shapes-panoptic", tmp_path / "run", metrics=["boundary_PQ"])


def test_an_id_that_the_official_tool_spoils_is_said(tmp_path: Path) -> None:
    """188: the largest category id + 1, with which the official tool marks the inside of segments."""
    case = build(tmp_path)
    for segment in case.first["segments_info"]:
        if segment["id"] == 1:
            segment["id"] = 188
    case.maps[139][case.maps[139] == 1] = 188
    case.save()
    result = vismark.score("coco-panoptic", case.submission, references=case.references, protocol="boundary")
    assert result.basis["boundary_PQ"].kind == "deviates" and "boundary-iou-api" in result.basis["boundary_PQ"].why
    official = vismark.score("coco-panoptic", case.submission, references=case.references)
    assert official.basis["PQ"].kind == "official"


def test_findings_are_those_of_the_official_protocol(tmp_path: Path) -> None:
    case = build(tmp_path)
    case.first["segments_info"].pop()
    case.save()
    with pytest.raises(Refused) as refused:
        vismark.score("coco-panoptic", case.submission, references=case.references, protocol="boundary")
    assert "SUB_SEG_NOT_IN_JSON" in refused.value.problems
