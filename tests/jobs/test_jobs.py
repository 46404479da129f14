"""The jobs as a library: predict, shards, parts, own loops, verify, diff, requests, status."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

import vismark
from vismark.problems import Missing, Refused, Usage
from vismark.results import Result, read_result
from vismark.tasks import Panoptic, PanopticSegment, Segment

SHAPES = "shapes-panoptic"


class Model:
    """A predictor that looks at the picture: bright pixels are one thing, the rest is ground."""

    name = "bright"
    tasks = (PanopticSegment,)

    def predict(self, requests: list[PanopticSegment]) -> list[Panoptic]:
        return [self.one(request) for request in requests]

    def one(self, request: PanopticSegment) -> Panoptic:
        pixels = request.image.pixels()
        assert pixels.shape == (request.image.height, request.image.width, 3) and pixels.dtype == np.uint8
        ids = np.where(pixels.mean(axis=2) > pixels.mean(), 1, 2).astype(np.uint32)
        things = [c.id for c in request.categories if c.isthing]
        stuff = [c.id for c in request.categories if not c.isthing]
        return Panoptic(ids, (Segment(1, things[0]), Segment(2, stuff[0])))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_shards_in_any_order_make_the_same_submission(tmp_path: Path) -> None:
    vismark.predict(Model(), SHAPES, tmp_path / "one")
    for index in (2, 0, 1):
        made = vismark.predict(Model(), SHAPES, tmp_path / "three", shard=f"{index}/3")
        assert made.finished is (index == 1)
    one, three = files(tmp_path / "one"), files(tmp_path / "three")
    assert {k: v for k, v in one.items() if "predictions" in k} == {
        k: v for k, v in three.items() if "predictions" in k
    }
    assert vismark.score(SHAPES, tmp_path / "one").metrics == vismark.score(SHAPES, tmp_path / "three").metrics


def test_shard_from_the_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "4")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    made = vismark.predict("blank", SHAPES, tmp_path / "run", limit=5)
    assert not made.finished
    assert sorted(p.name for p in (tmp_path / "run" / "predictions").iterdir()) == [
        "000000000002.png",
        "000000000004.png",
    ]
    progress = vismark.status(tmp_path / "run")
    assert (progress.done, progress.total, progress.finished) == (2, 5, False)
    assert progress.missing == {"0/2": ["000000000001", "000000000003", "000000000005"], "1/2": []}


def test_a_limited_run_scores_at_once_and_says_so(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "part", limit=10)
    assert len(json.loads((tmp_path / "part" / "manifest.json").read_text())["ids"]) == 10
    result = vismark.score(SHAPES, tmp_path / "part")
    assert str(result.partial) == "PARTIAL 10/60" and result.samples == 10


def test_a_submission_with_gaps_needs_partial(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "run")
    (tmp_path / "run" / "manifest.json").unlink()
    path = tmp_path / "run" / "predictions.json"
    content = json.loads(path.read_text())
    content["annotations"] = content["annotations"][:7]
    path.write_text(json.dumps(content))
    with pytest.raises(Refused) as refused:
        vismark.score(SHAPES, path)
    assert refused.value.problems.errors == 1 and "SUB_IMAGE_MISSING" in refused.value.problems
    assert str(vismark.score(SHAPES, path, partial=True).partial) == "PARTIAL 7/60"


def test_other_settings_do_not_continue_a_run(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "run", limit=3)
    with pytest.raises(Refused, match=r"amount.*0\.3"):
        vismark.predict("oracle", SHAPES, tmp_path / "run", limit=3, settings={"amount": 0.3})
    again = vismark.predict("oracle", SHAPES, tmp_path / "run", limit=3)
    assert again.finished and again.left == []


def test_own_loop_is_resumable(tmp_path: Path) -> None:
    model = Model()
    with (
        pytest.raises(RuntimeError, match="power cut"),
        vismark.submission(SHAPES, tmp_path / "mine", limit=6) as first,
    ):
        for number, request in enumerate(first.pending()):
            if number == 4:
                raise RuntimeError("power cut")
            first.write(request, model.one(request))  # type: ignore[arg-type]
    with vismark.submission(SHAPES, tmp_path / "mine", limit=6) as second:
        left = list(second.pending())
        assert [request.id for request in left] == ["000000000005", "000000000006"]
        for request in left:
            second.write(request, model.one(request))  # type: ignore[arg-type]
    assert second.finished
    result = vismark.score(SHAPES, tmp_path / "mine")
    assert result.model == "mine" and result.samples == 6 and result.run is not None and result.run.requests == 6


@pytest.mark.parametrize(
    ("prediction", "code"),
    [
        (Panoptic(np.zeros((3, 3), np.uint32), ()), "PREDICTION_SIZE"),
        (Panoptic(np.full((128, 128), 2**24, np.uint32), ()), "PREDICTION_IDS"),
        (Panoptic(np.zeros((128, 128), np.float32), ()), "PREDICTION_IDS"),
        (Panoptic(np.ones((128, 128), np.uint32), ()), "PREDICTION_SEGMENTS"),
        (Panoptic(np.ones((128, 128), np.uint32), (Segment(1, 1), Segment(1, 1))), "PREDICTION_SEGMENTS"),
        (Panoptic(np.ones((128, 128), np.uint32), (Segment(1, 77),)), "PREDICTION_CATEGORY"),
        ("a cat", "PREDICTION_TYPE"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(tmp_path: Path, prediction: Any, code: str) -> None:
    with vismark.submission(SHAPES, tmp_path / "mine", limit=1) as folder:
        (request,) = folder.pending()
        with pytest.raises(Refused) as refused:
            folder.write(request, prediction)
    assert code in refused.value.problems


def test_a_failing_predictor_is_explained(tmp_path: Path) -> None:
    class Broken(Model):
        def one(self, request: PanopticSegment) -> Panoptic:
            return {}["weights"]  # type: ignore[no-any-return]

    with pytest.raises(Refused, match=r"raised KeyError: 'weights' \(test_jobs\.py:\d+\)"):
        vismark.predict(Broken(), SHAPES, tmp_path / "run")
    assert "KeyError" in (tmp_path / "run" / "predictor-error.txt").read_text()

    class Short(Model):
        def predict(self, requests: list[PanopticSegment]) -> list[Panoptic]:
            return []

    with pytest.raises(Refused, match="0 answers to 1 requests"):
        vismark.predict(Short(), SHAPES, tmp_path / "run2")


@pytest.mark.parametrize(
    ("who", "settings", "message"),
    [
        ("nobody", {}, "There is no predictor"),
        ("no_such_module:Model", {}, "no module 'no_such_module'"),
        ("json:nothing", {}, "has no 'nothing'"),
        ("json:dumps", {}, "does not take these settings"),
        ("oracle", {"amuont": 1}, "amount"),
        ("oracle", {"amount": 2}, "share in 0 … 1"),
    ],
)
def test_a_wrong_predictor_is_explained(tmp_path: Path, who: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Usage, match=message):
        vismark.predict(who, SHAPES, tmp_path / "run", settings=settings)


def test_verify_recomputes_to_the_last_digit_and_notices_everything(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "run")
    path = tmp_path / "result.json"
    result = vismark.score(SHAPES, tmp_path / "run", path)
    assert list(vismark.verify(path)) == []

    moved = msgspec.structs.replace(
        result, metrics=result.metrics | {"PQ": math.nextafter(result.metrics["PQ"] or 0, 1)}
    )
    path.with_name("claimed.json").write_bytes(msgspec.json.encode(moved))
    found = vismark.verify(path.with_name("claimed.json"), tmp_path / "run")
    assert set(found.totals) == {"VERIFY_NUMBER"} and "PQ" in str(found.items[0])

    picture = tmp_path / "run" / "predictions" / "000000000001.png"
    Image.open(picture).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(picture)
    assert {"VERIFY_INPUT", "VERIFY_NUMBER", "VERIFY_TABLE"} <= set(vismark.verify(path).totals)


def test_a_result_tells_no_host_user_or_path(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "run", limit=3)
    vismark.score(SHAPES, tmp_path / "run", tmp_path / "result.json")
    text = (tmp_path / "result.json").read_text() + (tmp_path / "run" / "manifest.json").read_text()
    text += (tmp_path / "run" / "run.json").read_text()
    for secret in (str(tmp_path), str(Path.home()), "/tmp", "/home", "/root"):
        assert secret not in text


def test_any_number_of_jobs_gives_the_same_bytes(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "run")
    for jobs in (1, 2, 5):
        vismark.score(SHAPES, tmp_path / "run", tmp_path / str(jobs) / "result.json", jobs=jobs)
    assert files(tmp_path / "1") == files(tmp_path / "2") == files(tmp_path / "5")


def test_diff_names_what_moved(tmp_path: Path) -> None:
    for name, amount in (("a", 0.05), ("b", 0.3)):
        vismark.predict("oracle", SHAPES, tmp_path / name, settings={"amount": amount})
        vismark.score(SHAPES, tmp_path / name, tmp_path / f"{name}.json", model=name)
    found = vismark.diff(tmp_path / "a.json", tmp_path / "b.json", samples=5)
    assert found.comparable
    assert {change.name for change in found.identity} == {"model", "submission"}
    assert next(c for c in found.metrics if c.name == "PQ").delta < 0  # type: ignore[operator]
    sizes = [abs(change.delta or 0) for change in found.samples]
    assert len(sizes) == 5 and sizes == sorted(sizes, reverse=True)
    assert vismark.diff(tmp_path / "a.json", tmp_path / "a.json").identity == []


def test_only_the_wanted_metrics(tmp_path: Path) -> None:
    vismark.predict("oracle", SHAPES, tmp_path / "run", limit=3)
    assert list(vismark.score(SHAPES, tmp_path / "run", metrics=["RQ", "PQ"]).metrics) == ["PQ", "RQ"]
    with pytest.raises(Usage, match="no metric mAP"):
        vismark.score(SHAPES, tmp_path / "run", metrics=["mAP"])
    with pytest.raises(Usage, match="no protocol"):
        vismark.score(SHAPES, tmp_path / "run", protocol="adm")


def test_requests_for_people_with_their_own_loop(tmp_path: Path) -> None:
    assert vismark.requests(SHAPES, tmp_path / "requests.jsonl", seed=3) == 60
    head, *lines = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert head["task"] == "PanopticSegment" and head["requests"] == len(lines) == 60 and len(head["categories"]) == 12
    assert lines[0]["image"] == {"file": "000000000001.jpg", "height": 128, "width": 128, "url": ""}
    assert len({line["seed"] for line in lines}) == 60
    assert "/" not in json.dumps(lines)


def test_missing_references_are_explained(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="--references"):
        vismark.score("coco-panoptic", tmp_path)
    with pytest.raises(Missing, match=r"panoptic_val2017\.json does not exist"):
        vismark.score("coco-panoptic", tmp_path, root=tmp_path)
    with pytest.raises(Usage, match="no reference gt"):
        vismark.score("coco-panoptic", tmp_path, references={"gt": tmp_path})
    with pytest.raises(Usage, match="did you mean coco-panoptic"):
        vismark.score("coco-panopic", tmp_path)


def test_a_result_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    vismark.predict("blank", SHAPES, tmp_path / "run", limit=2)
    vismark.score(SHAPES, tmp_path / "run", tmp_path / "result.json")
    content = json.loads((tmp_path / "result.json").read_text())
    content["protocol"]["split"] = "test"
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(Refused, match="protocol was changed"):
        read_result(tmp_path / "result.json")
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(Refused, match="no vismark result"):
        read_result(tmp_path / "result.json")


def test_json_schemas_in_the_repository_are_current() -> None:
    from vismark.problems import Problem

    folder = Path(__file__).parents[2] / "schemas"
    for name, kind in (("result", Result), ("problem", Problem)):
        there = json.loads((folder / f"{name}.schema.json").read_text())
        assert there == json.loads(msgspec.json.encode(msgspec.json.schema(kind))), f"run `make schemas` for {name}"
