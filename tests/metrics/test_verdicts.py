"""What a judge's answers count: Python's float grammar, float32 means, and a nan that may or may not spoil them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from vismark.metrics.verdicts import mean, official_score, pool, read_verdict, repaired_score

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "vicas" / "judge_aggregate.json"


@pytest.mark.parametrize(
    ("answer", "score"),
    [("4", 4.0), (" 3\n", 3.0), ("4.", 4.0), ("1e0", 1.0), ("+2", 2.0), ("1_0", 5.0), ("٣", 3.0), ("7", 5.0),
     ("-3", 0.0), ("inf", 5.0), ("-inf", 0.0), ("4/5", None), ("Score: 4", None), ("", None), ("five", None),
     ("0x3", None), ("4,5", None)],
)  # fmt: skip
def test_answers(answer: str, score: float | None) -> None:
    assert read_verdict(answer) == score
    assert official_score(answer) == (score or 0.0)


def test_a_nan_spoils_the_official_mean_only() -> None:
    answers = [["4", "nan"], ["3", "5"]]
    official = mean([pool([official_score(one) for one in video]) for video in answers])
    repaired = mean([pool([repaired_score(one) for one in video]) for video in answers])
    assert official is not None and math.isnan(official)
    assert repaired == 3.0
    assert mean([]) is None


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"{GOLDEN.name} is not here")
def test_the_official_aggregation() -> None:
    golden = json.loads(GOLDEN.read_text())
    for pooling, kind in (("mean", "avg"), ("max", "max")):
        found = [
            pool([official_score(one) for one in video], pooling)  # type: ignore[arg-type]
            for video in golden["judge_outputs_per_video"]
        ]
        assert list(map(repr, found)) == golden[f"scores_{kind}_bs1"] == golden[f"scores_{kind}_bs8"]
        assert repr(mean(found)) == golden[f"mean_{kind}_bs1"] == golden[f"mean_{kind}_bs8"]
