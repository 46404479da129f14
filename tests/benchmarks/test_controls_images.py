"""Controls of the tasks that make pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vismark.benchmarks.controls import blank, degrade
from vismark.tasks import ClassToImage, Image, Picture, Reconstruct, Request, TextToImage

TEXT = TextToImage(id="a", seed=7, group="", prompt="a dog", size=(32, 48))
NO_SIZE = TextToImage(id="a", seed=7, group="", prompt="a dog", size=None)
LABEL = ClassToImage(id="b", seed=8, group="3", label=3, labels="imagenet1k", size=(16, 16))
AGAIN = Reconstruct(id="c", seed=9, group="", image=Picture(None, 20, 30), text="")


@pytest.mark.parametrize(
    ("request_", "size"), [(TEXT, (32, 48)), (NO_SIZE, (256, 256)), (LABEL, (16, 16)), (AGAIN, (20, 30))]
)
def test_a_blank_picture_is_plain_and_of_the_size_that_was_asked_for(request_: Request, size: tuple[int, int]) -> None:
    pixels = blank(request_).pixels
    assert (pixels.shape, pixels.dtype, len(np.unique(pixels))) == ((*size, 3), np.uint8, 1)


def test_damage_mixes_in_its_share_of_noise() -> None:
    white = Image(np.full((200, 200, 3), 255, np.uint8))
    assert (degrade(white, TEXT, 0.0).pixels == 255).all()
    # Uniform noise in 0 … 255 has mean 127.5; its standard error over 120,000 values is 0.2.
    for amount in (0.3, 1.0):
        mean = degrade(white, TEXT, amount).pixels.mean()
        assert mean == pytest.approx(255 - amount * 127.5, abs=1.0)
    assert (degrade(white, TEXT, 0.5).pixels == degrade(white, TEXT, 0.5).pixels).all()
    assert (degrade(white, TEXT, 0.5).pixels != degrade(white, LABEL, 0.5).pixels).any()
