"""Crops: guided-diffusion's own output, torchvision's transforms, and digests that tell of the crop."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from generation_goldens import golden, images
from vismark.formats import crops
from vismark.formats.crops import CROPS, cropped
from vismark.formats.image_sets import open_set
from vismark.formats.image_survey import survey
from vismark.problems import Problems


def test_guided_diffusions_crop_bit_by_bit() -> None:
    figures, _ = golden("adm_center_crop")
    for row in figures["rows"]:
        (image,) = images(1, row["height"], row["width"], row["seed"])
        assert hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() == row["input_sha256"]
        found = np.ascontiguousarray(CROPS["adm"](image, row["size"]))
        assert hashlib.sha256(found.tobytes()).hexdigest() == row["output_sha256"], row


@pytest.mark.parametrize("how", ["shorter-bicubic", "shorter-bilinear"])
def test_torchvisions_resize_and_crop(how: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from vismark.runtime.torchvision import make_importable

    make_importable()
    transforms = pytest.importorskip("torchvision.transforms", reason="torchvision is not installed")
    method = getattr(transforms.InterpolationMode, how.rpartition("-")[2].upper())
    official = transforms.Compose([transforms.Resize(64, interpolation=method), transforms.CenterCrop(64)])
    for size in ((101, 150), (64, 64), (200, 77)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        np.testing.assert_array_equal(CROPS[how](image, 64), np.asarray(official(Image.fromarray(image))))


def test_digests_tell_of_the_crop_and_are_made_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        Image.new("RGB", (9, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    plain = survey(open_set(tmp_path), Problems())
    made: list[Any] = []
    monkeypatch.setattr(crops, "digest_of", lambda value: made.append(value) or f"{value}")
    found = cropped(plain, "adm", 4)
    assert found.digests["1"] != plain.digests["1"] and found.digests["1"] != cropped(plain, "adm", 5).digests["1"]
    assert len(made) == 3  # not five for each set
    assert list(found.digests) == list(plain.digests) and "9" not in found.digests
    assert found.images.pixels("3").shape == (4, 4, 3)
    assert cropped(plain, "", 4) is plain
