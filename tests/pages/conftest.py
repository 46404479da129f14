"""A small result with panels, whose every text from outside can be chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vismark.benchmarks.panels import Bar, Bars, Gallery, Sample, View
from vismark.cards import BenchmarkCard, MetricSpec
from vismark.problems import Problem
from vismark.results import Basis, Made, ProtocolId, Result, Run
from vismark.tasks import Category, Panoptic, Picture, Segment

THING, STUFF = 7, 200


@pytest.fixture
def card() -> BenchmarkCard:
    spec = {"better": "higher", "scale": 100.0, "digits": 1, "equals": "tool 1.0", "tolerance": 1e-12}
    return BenchmarkCard(
        name="toy",
        title="Toy panoptic",
        code="x:Y",
        version=1,
        dataset="toy",
        split="val",
        task="PanopticSegment",
        metrics=(MetricSpec(name="PQ", title="panoptic quality", **spec), MetricSpec(name="SQ", **spec)),
        headline=("PQ",),
        homepage="https://example.org/toy",
    )


@pytest.fixture
def result() -> Callable[..., Result]:
    def make(text: str = "plain", **changes: object) -> Result:
        protocol = ProtocolId(
            benchmark="toy", version=1, name="official", dataset="toy", split="val", settings={text: text}
        )
        fields: dict[str, object] = {
            "model": text,
            "kind": "scored",
            "protocol": protocol,
            "protocol_digest": protocol.digest,
            "mode": "strict",
            "references": "sha256:" + "a" * 64,
            "reference_samples": "sha256:" + "b" * 64,
            "submission": "sha256:" + "c" * 64,
            "samples": 2,
            "metrics": {"PQ": 0.4567, "SQ": None},
            "basis": {
                "PQ": Basis(kind="official", equals="tool 1.0", interval=(0.41, 0.5012), n=2),
                "SQ": Basis(kind="deviates", equals="tool 1.0", why=text),
            },
            "breakdowns": {"category": {text: {"PQ": 0.25, "TP": 3}, "other": {"PQ": None, "TP": 0}}},
            "warnings": [
                Problem(code=text, severity="warning", message=text, fix=text, file=text, where=text, item=text)
            ],
            "run": Run(predictor=text, settings={text: text}),
            "made": Made(vismark="0", code="sha256:" + "d" * 64, packages={text: text}, python="3"),
        }
        return Result(**(fields | changes))

    return make


@pytest.fixture
def gallery(tmp_path: Path) -> Callable[..., Gallery]:
    """`count` samples of 30 × 40 pixels with a thing on stuff; the last one has no picture."""

    def make(text: str = "plain", count: int = 2) -> Gallery:
        path = tmp_path / "picture.png"
        Image.fromarray(np.full((30, 40, 3), 90, dtype=np.uint8)).save(path)
        ids = np.full((30, 40), 5, dtype=np.uint32)
        ids[10:20, 10:30] = 70_000
        ids[:4] = 0
        both = View("truth", Panoptic(ids, (Segment(5, STUFF), Segment(70_000, THING))))
        one = View(text, Panoptic(np.where(ids == 5, ids, 0).astype(np.uint32), (Segment(5, STUFF),)))
        pictures = [Picture(path, 30, 40)] * (count - 1) + [Picture(None, 30, 40)]
        samples = [Sample(f"{text}{place}", text, picture, (both, one)) for place, picture in enumerate(pictures)]
        categories = (Category(THING, text), Category(STUFF, "grass", isthing=False))
        return Gallery(text, text, samples, categories)

    return make


@pytest.fixture
def bars() -> Callable[..., Bars]:
    def make(text: str = "plain") -> Bars:
        return Bars(
            text,
            text,
            [
                Bar(text, 0.25, "things", (("PQ", 0.25), (text, 3))),
                Bar("ball", 0.75, "things"),
                Bar("fog", None, "things"),
                Bar("grass", 0.5, "stuff"),
            ],
            scale=100,
            digits=1,
        )

    return make
