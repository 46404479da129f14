"""Statistics files: equal to NumPy's mean and covariance of the features, whatever the shards, and after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vismark.instruments.base import Tools
from vismark.jobs import stats as job
from vismark.jobs.stats import stats
from vismark.problems import Missing, Refused, Usage

TOOLS = Tools(names=("shapes-features",))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(60):
        random = np.random.default_rng(number)
        small = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        small.resize((40, 36), Image.Resampling.BICUBIC).save(folder / f"{number:03}.png")
    return folder


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def features(images: Path, part: str) -> Any:
    instrument = TOOLS.load("features", "shapes-features")
    pixels = [np.asarray(Image.open(path)) for path in sorted(images.iterdir())]
    return np.stack([getattr(one, part) for one in instrument.measure(pixels)]).astype(np.float64)


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {problem.code for problem in refused.value.problems}


def test_mean_and_covariance_of_the_features(tmp_path: Path, images: Path) -> None:
    made = stats([images], tmp_path / "s.npz", tools=TOOLS)
    found = arrays(tmp_path / "s.npz")
    for suffix, part in (("", "pool"), ("_s", "spatial")):
        expected = features(images, part)
        np.testing.assert_allclose(found[f"mean{suffix}"], expected.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(found[f"sigma{suffix}"], np.cov(expected, rowvar=False), rtol=1e-4, atol=1e-5)
    assert (made.images, made.features) == (60, found["mu"].size) and found["n"] == 60


def test_other_tools_read_it(tmp_path: Path, images: Path) -> None:
    """torch-fidelity takes the arrays as they are, and the distance of a set to itself is 0."""
    stats([images], tmp_path / "s.npz", tools=TOOLS)
    with np.load(tmp_path / "s.npz") as file:  # as pytorch-fid and clean-fid do
        mu, sigma = file["mu"][:], file["sigma"][:]
    assert mu.dtype == np.float32 and sigma.dtype == np.float64  # as the fork of LTH14 asserts
    pytest.importorskip("torch", reason="torch is not installed")
    from vismark.runtime.torchvision import make_importable

    make_importable()
    official = pytest.importorskip("torch_fidelity.metric_fid", reason="torch-fidelity is not installed")
    stated = {"mu": mu, "sigma": sigma}
    (value,) = official.fid_statistics_to_metric(stated, stated, verbose=False).values()
    assert abs(value) < 1e-4 * np.trace(sigma)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shards_merge_to_the_whole(order: tuple[int, ...], tmp_path: Path, images: Path) -> None:
    stats([images], tmp_path / "whole.npz", tools=TOOLS)
    for rank in range(3):
        stats([images], tmp_path / f"{rank}.npz", shard=f"{rank}/3", tools=TOOLS)
    made = stats([tmp_path / f"{rank}.npz" for rank in order], tmp_path / "merged.npz")
    whole, merged = arrays(tmp_path / "whole.npz"), arrays(tmp_path / "merged.npz")
    assert made.images == 60
    for name in ("mu", "sigma", "mu_s", "sigma_s", "mean"):
        scale = np.abs(whole[name]).max()
        np.testing.assert_allclose(merged[name], whole[name], rtol=0, atol=1e-5 * scale)


def test_shards_that_make_no_whole_are_named(tmp_path: Path, images: Path) -> None:
    for rank in (0, 1):
        stats([images], tmp_path / f"{rank}.npz", shard=f"{rank}/3", tools=TOOLS)
    stats([images], tmp_path / "other.npz", shard="2/3", treatment="clean", tools=TOOLS)
    np.savez(tmp_path / "foreign.npz", mu=np.zeros(3), sigma=np.eye(3))
    for names, expected in (
        (("0", "1"), {"STATS_SHARDS"}),
        (("0", "0", "1"), {"STATS_SHARDS"}),
        (("0", "1", "other"), {"STATS_OTHER"}),
        (("0", "foreign"), {"STATS_FOREIGN"}),
    ):
        with pytest.raises(Refused) as refused:
            stats([tmp_path / f"{name}.npz" for name in names], tmp_path / "merged.npz")
        assert codes(refused) == expected
    assert not (tmp_path / "merged.npz").exists()


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_BLOCK", 8)
    monkeypatch.setattr(job, "_PATIENCE", 0)
    stats([images], tmp_path / "whole.npz", tools=TOOLS)
    measured: list[int] = []
    features = job._features

    def dying(looked: Any, ids: Any, instrument: Any, jobs: Any) -> Any:
        if sum(measured) == 24:
            measured.append(0)
            raise KeyboardInterrupt
        measured.append(len(ids))
        return features(looked, ids, instrument, jobs)

    monkeypatch.setattr(job, "_features", dying)
    with pytest.raises(KeyboardInterrupt):
        stats([images], tmp_path / "resumed.npz", tools=TOOLS)
    assert not (tmp_path / "resumed.npz").exists()
    measured[:] = [1]
    stats([images], tmp_path / "resumed.npz", tools=TOOLS)
    assert sum(measured) == 1 + 60 - 24
    for name, values in arrays(tmp_path / "whole.npz").items():
        np.testing.assert_array_equal(values, arrays(tmp_path / "resumed.npz")[name])
    assert not list((tmp_path / "cache" / "statistics").iterdir())


def test_every_bad_image_is_listed_before_any_feature(tmp_path: Path, images: Path) -> None:
    (images / "000.png").write_bytes(b"no image")
    (images / "001.png").write_bytes((images / "001.png").read_bytes()[:-20])
    with pytest.raises(Refused) as refused:
        stats([images], tmp_path / "s.npz", tools=TOOLS)
    assert codes(refused) == {"REF_IMAGE_FORMAT", "REF_IMAGE_UNREADABLE"}


def test_wrong_usage_and_missing_weights(tmp_path: Path, images: Path) -> None:
    stats([images], tmp_path / "s.npz", tools=TOOLS)
    with pytest.raises(Usage, match="not both"):
        stats([images, tmp_path / "s.npz"], tmp_path / "t.npz", tools=TOOLS)
    with pytest.raises(Usage, match="one set of images"):
        stats([images, images], tmp_path / "t.npz", tools=TOOLS)
    with pytest.raises(Usage, match="no treatment 'sharp'"):
        stats([images], tmp_path / "t.npz", treatment="sharp", tools=TOOLS)
    with pytest.raises(Missing, match="vismark download inception-v3"):
        stats([images], tmp_path / "t.npz", tools=Tools(root=tmp_path))
