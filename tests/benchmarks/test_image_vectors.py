"""FD-DINOv2 and CMMD through the steps: the numbers of the metrics on the same vectors; what is told without them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vismark import registry
from vismark.benchmarks.base import Opened
from vismark.benchmarks.image_evidence import NO_IMAGES
from vismark.benchmarks.image_vectors import vector_numbers, vector_steps
from vismark.formats.image_sets import open_set
from vismark.formats.image_survey import Surveyed, survey
from vismark.instruments.base import Tools
from vismark.jobs.evidence import Measurement
from vismark.metrics.generation.frechet import Gaussian, frechet
from vismark.metrics.generation.kernel import cmmd
from vismark.problems import Missing, Problems


class Colours:
    """Mean and deviation of an image's colours in place of a network."""

    batch, departs = 4, "colours are no network"

    def __init__(self, name: str, treatment: str = "usual") -> None:
        self.name, self.treatment = name, treatment
        self.identity = {"name": name, "treatment": treatment}

    def treated(self, treatment: str) -> Colours:
        return Colours(self.name, treatment)

    def measure(self, items: Any) -> list[Any]:
        return [np.concatenate([one.mean((0, 1)), one.std((0, 1))]).astype(np.float32) for one in items]


def images(folder: Path, seed: int) -> Surveyed:
    folder.mkdir()
    random = np.random.default_rng(seed)
    for number in range(12):
        Image.fromarray(random.integers(0, 200 + seed, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number:02}.png")
    return survey(open_set(folder), Problems())


def evidence(metrics: list[str], made: Surveyed, real: Surveyed, tools: Any) -> dict[str, Any]:
    opened = Opened(SimpleNamespace(surveyed=made), made.ids, "made")
    references = SimpleNamespace(digest="real", surveyed=real)
    steps = vector_steps(metrics, tools, lambda known: known.surveyed)
    return {step.about.name: Measurement(step, opened, references, "strict").records(1) for step in steps}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))


def test_numbers_of_the_metrics_on_the_same_vectors(tmp_path: Path) -> None:
    made, real = images(tmp_path / "made", 0), images(tmp_path / "real", 50)
    tools = SimpleNamespace(load=lambda role, default: Colours(default))
    kept = evidence(["FD_DINOv2", "CMMD"], made, real, tools)
    assert set(kept) == {
        f"features-{name}-squash{ending}"
        for name in ("dinov2-vitl14", "clip-vit-l14-336")
        for ending in ("", "-references")
    }
    found = vector_numbers(["FID", "FD_DINOv2", "CMMD"], kept)
    x, y = (np.stack(Colours("").measure([one.images.pixels(id) for id in one.ids])) for one in (made, real))
    assert found["FD_DINOv2"].value == pytest.approx(frechet(Gaussian.of_features(x), Gaussian.of_features(y)))
    assert found["CMMD"].value == pytest.approx(cmmd(x, y))
    assert set(found) == {"FD_DINOv2", "CMMD"}
    assert all("official package was not run" in one.why and "no network" in one.why for one in found.values())


def test_statistics_of_inception_do_not_serve(tmp_path: Path) -> None:
    tools = SimpleNamespace(load=lambda role, default: Colours(default))
    kept = evidence(["CMMD"], images(tmp_path / "made", 0), NO_IMAGES, tools)
    number = vector_numbers(["CMMD"], kept)["CMMD"]
    assert number.value is None and "no images" in number.undefined


def test_imagenet_has_them_and_missing_weights_are_told(tmp_path: Path) -> None:
    benchmark = registry.benchmark("imagenet256")
    settings = benchmark.card.protocols["embeddings"]
    assert benchmark.card.measured("embeddings") == ["FD_DINOv2", "CMMD"]
    steps = benchmark.steps("strict", settings, ["FD_DINOv2"], Tools(root=tmp_path))
    made = images(tmp_path / "made", 0)
    (over,) = [step for step in steps if step.about.name.startswith("features-") and step.about.over == "submission"]
    with pytest.raises(Missing, match="vismark download dinov2-vitl14"):
        over.run(SimpleNamespace(surveyed=made), None, made.ids)
