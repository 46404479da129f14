"""Class-conditional generation end to end on portraits of shapes: numbers by formula, findings before any feature."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm

from vismark import registry
from vismark.benchmarks.base import Source
from vismark.benchmarks.controls import control
from vismark.datasets.shapes.portraits import CLASSES, ensure
from vismark.formats.image_sets import open_set
from vismark.instruments.base import Tools
from vismark.jobs.check import check
from vismark.jobs.measure import measure
from vismark.jobs.predict import predict
from vismark.jobs.report import report
from vismark.jobs.score import score
from vismark.jobs.verify import verify
from vismark.problems import Problems, Refused
from vismark.results import Result

NAME = "shapes-class"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers of the controls, as batches; those of the oracle were written by `predict`."""
    folder = tmp_path_factory.mktemp("runs")
    predict("oracle", NAME, folder / "oracle", settings={"amount": 0.2})
    benchmark = registry.benchmark(NAME)
    references = benchmark.references(Source(), Problems(), "strict")
    for name, of, settings in (
        ("truth", "oracle", {"amount": 0}),
        ("blank", "blank", {}),
        ("majority", "majority", {}),
    ):
        answers = control(of, benchmark, references, settings).predict(list(benchmark.requests(references, 0)))
        np.savez(folder / f"{name}.npz", arr_0=np.stack([one.pixels for one in answers]))
    return folder


@pytest.fixture(scope="module")
def scored(runs: Path) -> dict[str, Result]:
    """Their results; that of the oracle under the protocol that measures all."""
    return {
        one.stem: score(NAME, one, runs / f"{one.stem}.json", protocol="all" if one.is_dir() else "adm")
        for one in [*runs.iterdir()]
    }


def features(path: Path, treatment: str, part: str) -> Any:
    images = open_set(path)
    network = Tools().load("features", "shapes-features").treated(treatment)
    return np.stack([getattr(one, part) for one in network.measure([images.pixels(id) for id in images.ids])])


def frechet(x: Any, y: Any) -> float:
    """The formula of every official tool, with SciPy's matrix square root."""
    mean = x.mean(axis=0) - y.mean(axis=0)
    # A little on the diagonal, as the tools add it: two features of the network are always 0.
    a, b = (np.cov(one, rowvar=False) + 1e-9 * np.eye(one.shape[1]) for one in (x, y))
    return float(mean @ mean + np.trace(a + b) - 2 * np.trace(sqrtm(a @ b).real))


@pytest.mark.parametrize(
    ("metric", "treatment", "part"),
    [("FID", "tf1", "pool"), ("sFID", "tf1", "spatial"), ("FID_clean", "clean", "pool")],
)
def test_frechet_distances_follow_the_formula(
    runs: Path, scored: dict[str, Result], metric: str, treatment: str, part: str
) -> None:
    x, y = (features(one, treatment, part).astype(np.float64) for one in (runs / "oracle", ensure() / "val"))
    assert scored["oracle"].metrics[metric] == pytest.approx(frechet(x, y), rel=1e-6)


def test_precision_and_recall_follow_the_definition(runs: Path, scored: dict[str, Result]) -> None:
    x, y = (features(one, "tf1", "pool").astype(np.float64) for one in (runs / "oracle", ensure() / "val"))
    between = np.linalg.norm(x[:, None] - y[None], axis=2)
    around_x, around_y = (np.sort(np.linalg.norm(z[:, None] - z[None], axis=2), axis=1)[:, 3] for z in (x, y))
    precise = (between <= around_y[None]).any(axis=1)
    assert scored["oracle"].metrics["precision"] == pytest.approx(precise.mean(), abs=0.003)  # float32 at the border
    assert scored["oracle"].metrics["recall"] == pytest.approx(
        (between <= around_x[:, None]).any(axis=0).mean(), abs=0.003
    )


def test_the_inception_score_is_that_of_adm(runs: Path, scored: dict[str, Result]) -> None:
    logits = features(runs / "oracle", "tf1", "logits").astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    one_chunk = np.exp((p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1).mean())
    assert scored["oracle"].metrics["IS"] == pytest.approx(one_chunk, rel=1e-5)


def test_controls_bound_the_numbers(scored: dict[str, Result]) -> None:
    """The truth has distance 0; one real image for all is precise and recalls nothing; grey is neither."""
    numbers = {name: result.metrics for name, result in scored.items()}
    assert numbers["truth"]["FID"] == pytest.approx(0, abs=1e-6)
    assert (numbers["truth"]["precision"], numbers["truth"]["recall"]) == (1, 1)
    assert (numbers["majority"]["precision"], numbers["blank"]["precision"]) == (1, 0)
    assert max(numbers[name]["recall"] or 0 for name in ("majority", "blank")) < 0.05
    assert numbers["truth"]["FID"] < numbers["oracle"]["FID"] < min(numbers[n]["FID"] for n in ("blank", "majority"))  # type: ignore[operator,type-var]
    assert numbers["blank"]["IS"] == pytest.approx(1, abs=1e-5)


def test_a_result_says_what_was_measured(runs: Path, scored: dict[str, Result]) -> None:
    result = scored["oracle"]
    assert set(result.protocol.instruments) == {"shapes-features/tf1", "shapes-features/clean"}
    assert result.basis["FID"].interval is not None and result.basis["recall"].interval is None
    assert {row["images"] for row in result.breakdowns["class"].values()} == {64}
    assert list(result.breakdowns["class"]) == sorted(CLASSES)
    near = result.breakdowns["nearest"]
    assert len(near) == 12 and all(list(one.values()) == sorted(one.values()) for one in near.values())  # type: ignore[type-var]
    (page,) = report(runs / "oracle.json", output=runs / "oracle.html")
    text = page.read_text()
    assert all(title in text for title in ("Samples", "Nearest real images", "circle"))


def test_any_container_gives_the_same_numbers(runs: Path, scored: dict[str, Result], tmp_path: Path) -> None:
    images = open_set(runs / "oracle")
    np.savez(tmp_path / "batch.npz", arr_0=np.stack([images.pixels(id) for id in images.ids]))
    assert score(NAME, tmp_path / "batch.npz", protocol="all").metrics == scored["oracle"].metrics


def test_shards_measure_once_and_score_joins_them(runs: Path, scored: dict[str, Result], tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    for number, file in enumerate(sorted((runs / "oracle").glob("*.png"))):
        shutil.copy(file, copied / f"image-{number:03d}.png")
    parts = [measure(NAME, copied, shard=f"{rank}/2") for rank in range(2)]
    done = [one.done for part in parts for one in part if one.step == "features-shapes-features-tf1"]
    assert done == [256, 256]
    assert score(NAME, copied, protocol="adm").metrics["FID"] == scored["oracle"].metrics["FID"]


def test_statistics_alone_serve_the_distances_and_nothing_else(
    runs: Path, scored: dict[str, Result], tmp_path: Path
) -> None:
    pool, spatial = (features(ensure() / "val", "tf1", part) for part in ("pool", "spatial"))
    cov = [np.cov(one.astype(np.float64), rowvar=False) for one in (pool, spatial)]
    file = tmp_path / "statistics.npz"
    np.savez(file, mu=pool.mean(axis=0), sigma=cov[0], mu_s=spatial.mean(axis=0), sigma_s=cov[1])
    result = score(NAME, runs / "oracle", references=file)
    for name in ("FID", "sFID"):
        assert result.metrics[name] == pytest.approx(scored["oracle"].metrics[name], rel=1e-5)
    assert result.metrics["precision"] is None
    assert "METRIC_UNDEFINED" in [problem.code for problem in result.warnings]


def codes(path: Path, **how: Any) -> dict[str, str]:
    return {problem.code: problem.severity for problem in check(NAME, path, **how)}


def test_check_finds_every_fault_before_any_feature(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(runs / "oracle", folder)
    (folder / "manifest.json").unlink()
    Image.new("RGB", (32, 32)).save(folder / "000000.png")
    whole = (folder / "000001.png").read_bytes()
    (folder / "000001.png").write_bytes(whole[: len(whole) // 2])
    # The chunks are whole, the pixels inside are not: found by decoding.
    middle = whole.index(b"IDAT") + 40
    (folder / "000002.png").write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    shutil.copy(folder / "000004.png", folder / "000003.png")
    (folder / "000005.png").unlink()
    assert codes(folder) == {
        "SUB_IMAGE_SIZE": "error",
        "SUB_IMAGE_UNREADABLE": "error",
        "SUB_IMAGE_TWICE": "warning",
        "SUB_COUNT": "error",
    }
    with pytest.raises(Refused):
        score(NAME, folder)


def test_classes_are_looked_at_where_they_are_stated(tmp_path: Path) -> None:
    folder = tmp_path / "classes"
    shutil.copytree(ensure() / "val", folder)
    assert codes(folder) == {}
    shutil.move(folder / "heart" / "0000.png", folder / "circle" / "9999.png")
    assert codes(folder) == {"SUB_CLASS_UNEVEN": "note"}
    for file in (folder / "heart").iterdir():
        shutil.move(file, folder / "circle" / f"heart-{file.name}")
    assert codes(folder) == {"SUB_CLASS_MISSING": "error"}
    assert codes(folder, mode="official") == {"SUB_CLASS_MISSING": "warning"}
    (folder / "circle").rename(folder / "blob")
    assert codes(folder) == {"SUB_CLASS_UNKNOWN": "error"}


def test_a_result_verifies(runs: Path, scored: dict[str, Result]) -> None:
    assert not verify(runs / "oracle.json").errors


def test_a_part_is_scored_only_when_asked_and_says_so(runs: Path, tmp_path: Path) -> None:
    for file in sorted((runs / "oracle").glob("*.png"))[:100]:
        shutil.copy(file, tmp_path / file.name)
    assert codes(tmp_path) == {"SUB_COUNT": "error"}
    result = score(NAME, tmp_path, partial=True)
    assert str(result.partial) == "PARTIAL 100/512" and result.metrics["FID"] is not None


def test_batches_with_objects_or_of_floats_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", arr_0=np.array([{}], dtype=object))
    np.savez(tmp_path / "floats.npz", arr_0=np.zeros((4, 64, 64, 3)))
    assert codes(tmp_path / "objects.npz") == {"NPZ_OBJECTS": "error"}
    assert codes(tmp_path / "floats.npz") == {"IMAGES_ARRAY": "error"}


def test_fewer_images_than_features_are_exact_and_said(runs: Path, tmp_path: Path) -> None:
    for file in sorted((runs / "oracle").glob("*.png"))[:20]:
        shutil.copy(file, tmp_path / file.name)
    result = score(NAME, tmp_path, partial=True, metrics=["FID"])
    assert result.basis["FID"].kind == "deviates" and "fewer directions" in result.basis["FID"].why


@pytest.mark.parametrize("name", ["imagenet256", "imagenet512"])
def test_twins_are_the_same_class_with_the_same_metrics(name: str) -> None:
    real, twin = registry.card("benchmarks", name), registry.card("benchmarks", NAME)
    assert real.code == twin.code and real.metrics == twin.metrics and list(real.protocols) == list(twin.protocols)


def test_sorted_samples_are_warned_of() -> None:
    """10,000 samples of 100 classes in order: each chunk of 5,000 holds half of them."""
    from types import SimpleNamespace

    from vismark.benchmarks.image_scores import Side, Sides, order_warning

    labels = np.repeat(np.arange(100), 100)
    logits = (10 * np.eye(100, dtype=np.float32))[labels]

    def warned(rows: Any) -> list[str]:
        records = [SimpleNamespace(logits=row.tobytes()) for row in rows]
        return [problem.code for problem in order_warning(Sides(Side(records)))]

    assert warned(logits) == ["SUB_ORDER"]
    assert warned(logits[np.random.default_rng(0).permutation(10_000)]) == []
