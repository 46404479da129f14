"""Features as evidence: kept bit by bit, resumed after a kill, one finding for each image that cannot be decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vismark.benchmarks.base import Opened
from vismark.benchmarks.features import (
    Cosine,
    CosineStep,
    FeatureStep,
    Inception,
    Vector,
    blocks,
    departures,
    stacked,
)
from vismark.formats.image_sets import open_set
from vismark.formats.image_survey import Surveyed, survey
from vismark.instruments.base import Absent
from vismark.jobs.evidence import Measurement
from vismark.problems import Missing, Problems
from vismark.runtime.shards import Shard

TEXTS = {"red": (1, 0, 0), "blue": (0, 0, 1)}
REFERENCES = SimpleNamespace(digest="references", texts={"a": "red", "b": "blue"})


class Parts(NamedTuple):
    pool: NDArray[np.float32]
    logits: NDArray[np.float32]


@dataclass
class Mean:
    """A network that sees mean and deviation of the colours."""

    name: str = "mean"
    treatment: str = "none"
    batch: int = 2
    departs: str = ""
    seen: list[int] = field(default_factory=list)

    @property
    def identity(self) -> dict[str, str]:
        return {"version": "1"}

    def measure(self, items: Any) -> list[Any]:
        self.seen.append(len(items))
        if any(isinstance(one, str) for one in items):
            return [
                np.array([1, 0, 0] if one == "red" else [0, 0, 1]) if isinstance(one, str) else one[0, 0]
                for one in items
            ]
        return [Parts(one.mean((0, 1), dtype=np.float32), one.std((0, 1), dtype=np.float32)) for one in items]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def surveyed(tmp_path: Path) -> Surveyed:
    return looked_at(
        tmp_path / "images", {"a": (250, 1, 2), "b": (3, 4, 200), "c": (9, 9, 9), "d": (0, 0, 0), "e": (1, 0, 0)}
    )


def looked_at(folder: Path, colours: dict[str, tuple[int, int, int]]) -> Surveyed:
    folder.mkdir(exist_ok=True)
    for name, colour in colours.items():
        Image.new("RGB", (8, 6), colour).save(folder / f"{name}.png")
    return survey(open_set(folder), Problems())


def of_submission(submission: Any, references: Any) -> Surveyed:
    return submission


def records(step: Any, images: Surveyed, **how: Any) -> list[Any]:
    return list(Measurement(step, Opened(images, images.ids, "digest"), REFERENCES, "strict").records(1, **how))


def test_one_record_an_image_kept_bit_by_bit(surveyed: Surveyed) -> None:
    step = FeatureStep(Mean(), "submission", of_submission)
    first, again = records(step, surveyed), records(FeatureStep(Mean(), "submission", of_submission), surveyed)
    assert first == again and [one.id for one in first] == list("abcde")
    expected = np.stack([surveyed.images.pixels(id).mean((0, 1), dtype=np.float32) for id in "abcde"])
    np.testing.assert_array_equal(stacked(first, "pool"), expected)
    np.testing.assert_array_equal(np.concatenate(list(blocks(first, "pool"))), expected)
    assert step.instrument.seen == [2, 2, 1]


def test_shards_make_the_same_records_and_only_changed_images_are_measured_again(
    tmp_path: Path, surveyed: Surveyed
) -> None:
    for rank in range(2):
        records(FeatureStep(Mean(), "submission", of_submission), surveyed, shard=Shard(rank, 2))
    changed = looked_at(tmp_path / "images", {"c": (100, 0, 0)})
    step = FeatureStep(Mean(), "submission", of_submission)
    found = records(step, changed)
    assert step.instrument.seen == [1]
    assert stacked(found, "pool")[2].tolist() == [100, 0, 0]


def test_an_image_that_cannot_be_decoded_is_one_finding(tmp_path: Path, surveyed: Surveyed) -> None:
    path = tmp_path / "images" / "b.png"
    buffer = io.BytesIO()
    Image.effect_noise((8, 6), 50).convert("RGB").save(buffer, format="PNG")
    whole = buffer.getvalue()
    start = whole.index(b"IDAT") + 6
    path.write_bytes(whole[:start] + bytes(8) + whole[start + 8 :])
    found = records(FeatureStep(Mean(), "submission", of_submission), survey(open_set(path.parent), Problems()))
    (bad,) = [one for one in found if one.problems]
    assert (bad.id, bad.problems[0].code, bad.problems[0].item) == ("b", "SUB_IMAGE_UNREADABLE", "b")
    assert len(found) == 5 and all(one.pool for one in found if one is not bad)


def test_features_of_references_serve_every_submission(surveyed: Surveyed) -> None:
    step = FeatureStep(Mean(), "references", lambda submission, references: surveyed)
    assert [one.id for one in records(step, surveyed)] == list("abcde")
    assert step.about.over == "references" and step.about.name.endswith("-references")


def test_networks_of_one_vector(surveyed: Surveyed) -> None:
    class One(Mean):
        def measure(self, items: Any) -> list[Any]:
            return [parts.pool for parts in super().measure(items)]

    found = records(FeatureStep(One(), "submission", of_submission, Vector), surveyed)
    assert stacked(found, "vector").shape == (5, 3)


def test_cosines_of_images_and_their_texts(tmp_path: Path) -> None:
    images = looked_at(tmp_path / "pair", {"a": (255, 0, 0), "b": (255, 0, 0)})
    step = CosineStep(Mean(), of_submission, lambda references, id: references.texts[id])
    assert [one.cosine for one in records(step, images)] == pytest.approx([1, 0])


def test_departures_are_said_once() -> None:
    made = [Inception(id=str(n), digest="", departs="bfloat16") for n in range(3)]
    assert departures(made, [Cosine(id="", digest="", departs="bfloat16")]) == "bfloat16"
    assert departures([Inception(id="a", digest="")]) == ""


def test_an_instrument_that_is_not_there_is_told_when_it_is_needed(surveyed: Surveyed) -> None:
    step = FeatureStep(Absent("inception-v3", Missing("get the weights")), "submission", of_submission)
    assert step.about.batch
    with pytest.raises(Missing, match="get the weights"):
        records(step, surveyed)
