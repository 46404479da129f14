"""Reconstruction end to end on portraits of shapes; the formulas are those of the metrics' own goldens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vismark import registry
from vismark.benchmarks.base import Source
from vismark.datasets.imagenet.crops import bicubic
from vismark.datasets.shapes.portraits import ensure
from vismark.formats.image_files import encode
from vismark.formats.image_sets import open_set
from vismark.instruments.base import Tools
from vismark.jobs.check import check
from vismark.jobs.report import report
from vismark.jobs.score import score
from vismark.problems import Problems

NAME = "shapes-recon"


def shifted(folder: Path, by: int) -> Path:
    """Every original darker by `by` where that can be."""
    images = open_set(ensure() / "val")
    for id in images.ids:
        file = folder / f"{id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(np.maximum(images.pixels(id), by) - np.uint8(by)))
    return folder


def test_numbers_of_a_known_damage(tmp_path: Path) -> None:
    result = score(NAME, shifted(tmp_path / "darker", 51), tmp_path / "a.json", protocol="all")
    images = open_set(ensure() / "val")
    errors = [np.minimum(images.pixels(id), 51) / 255 for id in images.ids]
    squares = np.array([(error**2).mean() for error in errors])
    assert result.metrics["MAE"] == pytest.approx(np.mean([error.mean() for error in errors]), rel=1e-9)
    assert result.metrics["MSE"] == pytest.approx(squares.mean(), rel=1e-9)
    assert result.metrics["PSNR"] == pytest.approx((10 * np.log10(1 / (squares + 1e-10))).mean(), rel=1e-9)
    assert result.metrics["rFID"] == result.metrics["FID"] != 0
    (page,) = report(tmp_path / "a.json", output=tmp_path / "a.html")
    assert "Worst reconstructions" in page.read_text()


def test_the_truth_and_the_mean_colour_bound_the_numbers(tmp_path: Path) -> None:
    truth = score(NAME, ensure() / "val").metrics
    assert truth["rFID"] == pytest.approx(0, abs=1e-6)
    assert (truth["PSNR"], truth["SSIM"], truth["MSE"]) == (pytest.approx(100), pytest.approx(1), 0)
    bench = registry.benchmark(NAME)
    references = bench.references(Source(), Problems(), "strict")
    request = bench.requests(references, 0)[0]
    colours = np.unique(bench.majority(references, request).pixels.reshape(-1, 3), axis=0)
    assert len(colours) == 1
    assert request.image.pixels().shape == (64, 64, 3)


def test_check_compares_names_and_sizes(tmp_path: Path) -> None:
    folder = shifted(tmp_path / "a", 0)
    (folder / "circle" / "0000.png").unlink()
    Image.new("RGB", (32, 64)).save(folder / "circle" / "0001.png")
    shutil.copy(folder / "ring" / "0000.png", folder / "ring" / "stranger.png")
    assert {problem.code for problem in check(NAME, folder)} == {
        "SUB_IMAGE_MISSING", "SUB_IMAGE_SIZE", "SUB_IMAGE_UNKNOWN",
    }  # fmt: skip


def test_validation_images_are_cropped_once(tmp_path: Path) -> None:
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (300, 400, 3), dtype=np.uint8)
        file = tmp_path / "val" / f"n0{number}" / f"ILSVRC2012_val_{number}.JPEG"
        file.parent.mkdir(parents=True)
        Image.fromarray(pixels).save(file, "JPEG")
    assert not bicubic(tmp_path / "val", tmp_path / "val256.json").errors
    found = open_set(tmp_path / "val256")
    assert found.ids == tuple(f"ILSVRC2012_val_{number}" for number in range(3))
    assert found.pixels(found.ids[0]).shape == (256, 256, 3)


def test_lpips_joins_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in that measures the mean absolute difference; the network has its own golden."""

    class Stub:
        name, identity, batch, departs = "lpips-vgg16", {"weights": "none"}, 8, ""

        def measure(self, pairs: Any) -> list[float]:
            return [float(np.abs(real - made).mean()) for real, made in pairs]

    bench = registry.benchmark("imagenet-recon")
    problems = Problems()
    references = registry.benchmark(NAME).references(Source(), problems, "strict")
    settings = bench.card.protocols["lpips"] | {"size": 64}
    opened = bench.open(ensure() / "val", references, problems, "strict", None, settings)
    monkeypatch.setattr(Tools, "load", lambda self, role, default: Stub())
    steps = bench.steps("strict", settings, bench.card.measured("lpips"), Tools())
    assert [step.about.name for step in steps] == ["pairs", "lpips-vgg16"]
    evidence = {one.about.name: one.run(opened.submission, references, opened.ids) for one in steps}
    scores = bench.score(opened.submission, references, evidence, "strict", settings)
    assert scores.metrics["LPIPS"] == scores.metrics["MAE"] == 0
    assert "8 bits" in scores.why["LPIPS"] and not scores.warnings


def test_twins_are_the_same_class_with_the_same_metrics() -> None:
    real, twin = registry.card("benchmarks", "imagenet-recon"), registry.card("benchmarks", NAME)
    assert real.code == twin.code
    names = [[spec.name for spec in card.metrics] for card in (real, twin)]
    assert names[0] == [*names[1], "LPIPS"], "LPIPS judges photographs"
