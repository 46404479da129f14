"""Treatments of images: TensorFlow's own resize bit by bit, and what torch, Pillow and open_clip do themselves."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from generation_goldens import golden
from vismark.instruments.features.treatments import CLIP, INCEPTION, INCEPTION_UNIT, Name, Normalisation, treated

torch = pytest.importorskip("torch", reason="torch is not installed")

PLAIN = Normalisation((0.0,) * 3, (1.0,) * 3)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def one(image: np.ndarray[Any, Any], name: Name, size: int = 299, scale: Normalisation = PLAIN) -> Any:
    return treated([image], name, size, scale, torch.device("cpu"))


@pytest.mark.parametrize("name", ["tf1_bilinear_64x64", "tf1_bilinear_256x256"])
def test_tensorflows_resize_bit_by_bit(name: str) -> None:
    figures, arrays = golden(name)
    image = picture(figures["h"], figures["w"], figures["seed"])
    assert hashlib.sha256(image[None].tobytes()).hexdigest() == str(arrays["input_sha256"])
    found = np.ascontiguousarray(one(image, "tf1").permute(0, 2, 3, 1).numpy())
    assert hashlib.sha256(found.tobytes()).hexdigest() == str(arrays["out_sha256"])


@pytest.mark.parametrize("size", [(64, 64), (300, 256), (512, 512), (299, 299), (1, 7)])
def test_tf1_is_torch_fidelitys_bit_by_bit(size: tuple[int, int]) -> None:
    from vismark.runtime.torchvision import make_importable

    make_importable()
    official = pytest.importorskip(
        "torch_fidelity.interpolate_compat_tensorflow", reason="torch-fidelity is not installed"
    ).interpolate_bilinear_2d_like_tensorflow1x
    image = picture(*size)
    for name, dtype in (("tf1", torch.float32), ("tf1-float64", torch.float64)):
        x = torch.from_numpy(image)[None].permute(0, 3, 1, 2).to(dtype)
        expected = (official(x, size=(299, 299), align_corners=False) - 128) / 128
        assert torch.equal(one(image, name, scale=INCEPTION), expected)  # type: ignore[arg-type]


def test_half_pixel_is_pytorch_fids() -> None:
    image = picture(64, 80)
    unit = torch.from_numpy(image)[None].permute(0, 3, 1, 2).float() / 255
    expected = 2 * torch.nn.functional.interpolate(unit, size=(299, 299), mode="bilinear", align_corners=False) - 1
    torch.testing.assert_close(one(image, "half-pixel", scale=INCEPTION_UNIT), expected, rtol=0, atol=2e-7)


def test_clean_is_not_rounded_but_clipped() -> None:
    """A checkerboard overshoots under a bicubic filter; a constant image stays what it is."""
    board = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((40, 40)))[..., None].repeat(3, axis=2) * 255
    found = one(board.astype(np.uint8), "clean")
    assert found.min() == 0 and found.max() == 255
    assert not torch.equal(found, found.round())
    assert torch.equal(one(np.full((50, 70, 3), 9, np.uint8), "clean"), torch.full((1, 3, 299, 299), 9.0))


def test_crop_is_open_clips_own_transform() -> None:
    from vismark.runtime.torchvision import make_importable

    make_importable()
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    from PIL import Image

    official = open_clip.image_transform(224, is_train=False)
    for size in ((300, 401), (224, 224), (1024, 333)):
        image = picture(*size)
        expected = official(Image.fromarray(image))[None]
        torch.testing.assert_close(one(image, "crop", 224, CLIP), expected, rtol=0, atol=1e-6)


def test_images_of_several_sizes_and_the_same_alone() -> None:
    images = [picture(40, 50), picture(64, 64)]
    both = treated(images, "tf1", 299, PLAIN, torch.device("cpu"))
    assert torch.equal(both, torch.cat([one(image, "tf1") for image in images]))


def test_as_is_takes_only_the_networks_size() -> None:
    assert torch.equal(one(picture(224, 224), "as-is", 224)[0, :, 0, 0], torch.from_numpy(picture(224, 224)[0, 0]))
    with pytest.raises(ValueError, match="50×40"):
        one(picture(40, 50), "as-is", 224)
