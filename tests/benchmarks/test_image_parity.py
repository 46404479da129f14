"""The whole road of `imagenet256` with Inception's own layers against torch-fidelity, weights filled from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filled_networks import inception_file
from vismark.formats.image_files import encode
from vismark.instruments.base import Tools
from vismark.jobs.check import check
from vismark.jobs.score import score
from vismark.problems import Missing

N = 24


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Generated and real pictures of 256 × 256 pixels, as files."""
    folder, random = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    for name, scale in (("made", 192), ("real", 160)):
        (folder / name).mkdir()
        for number in range(N):
            low = random.integers(0, scale, (32, 32, 3)).repeat(8, axis=0).repeat(8, axis=1)
            pixels = (low + random.integers(0, 64, (256, 256, 3))).astype(np.uint8)
            (folder / name / f"{number:06d}.png").write_bytes(encode(pixels))
    return {name: folder / name for name in ("made", "real")}


def test_check_needs_no_weights_and_score_says_what_to_get(sets: dict[str, Path], tmp_path: Path) -> None:
    how: Any = {"references": sets["real"], "partial": True, "root": tmp_path}
    assert not check("imagenet256", sets["made"], **how).errors
    with pytest.raises(Missing, match="vismark download inception-v3"):
        score("imagenet256", sets["made"], **how, tools=Tools(root=tmp_path))


@pytest.mark.slow
def test_numbers_equal_those_of_torch_fidelity(sets: dict[str, Path], tmp_path: Path) -> None:
    from vismark.runtime.torchvision import make_importable

    make_importable()
    calculate_metrics = pytest.importorskip("torch_fidelity", reason="it is the reference").calculate_metrics

    weights = inception_file(tmp_path)
    ours = score(
        "imagenet256", sets["made"], references=sets["real"], partial=True, protocol="torch-fidelity",
        tools=Tools(weights={"": weights}, device="cpu", batch_size=8),
    ).metrics  # fmt: skip
    made, real = (str(sets[name]) for name in ("made", "real"))
    theirs = calculate_metrics(
        input1=made, input2=real, fid=True, isc=True, cuda=False, cache=False, verbose=False, batch_size=8,
        feature_extractor_weights_path=str(weights),
    )  # fmt: skip
    assert ours["FID"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["IS_shuffled"] == pytest.approx(theirs["inception_score_mean"], rel=1e-5)
    assert ours["KID"] is None  # 24 images, subsets have 1,000
