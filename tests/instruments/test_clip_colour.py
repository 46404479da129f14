"""The colour classifier of GenEval: crops against the official transform, and the arithmetic around CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vismark.formats.geneval import COLOURS
from vismark.instruments import clip_colour
from vismark.instruments.base import Absent, Tools
from vismark.instruments.crops import Crop

torch = pytest.importorskip("torch", reason="needs vismark[models]")

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "geneval"


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official golden is not here")
def test_objects_are_cut_out_as_officially() -> None:
    from vismark.instruments.features.treatments import CLIP, treated

    golden = np.load(GOLDEN / "colour_crop_5.npz")
    for number in range(4):
        pixels, packed = golden[f"image_{number}"], golden[f"mask_{number}"]
        size = pixels.shape[:2]
        mask = np.unpackbits(packed)[: size[0] * size[1]].reshape(size).astype(bool) if packed.size else None
        box = tuple(golden[f"box_{number}"].tolist())
        image = clip_colour.cut_out(Crop(pixels, box, "x", mask))
        ours = treated([image], "crop", 224, CLIP, torch.device("cpu"))[0].numpy()
        assert np.abs(ours[:, ::4, ::4] - golden[f"pixels_{number}"]).max() < 0.02
        assert ours.mean() == pytest.approx(float(golden[f"mean_{number}"]), abs=1e-3)


def test_a_box_without_a_pixel_has_no_colour_and_corners_are_rounded_half_to_even() -> None:
    pixels = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert clip_colour.cut_out(Crop(pixels, (0.5, 1.5, 2.5, 3.5), "x")).shape == (2, 2, 3)
    assert clip_colour.cut_out(Crop(pixels, (3.0, 3.0, 3.4, 9.0), "x")).size == 0


class FakeClip:
    """Texts and pictures land on the axis of the colour they have."""

    def __init__(self, *_: Any) -> None:
        self.identity = {"weights": "sha256:0"}
        self.asked: list[Any] = []

    def measure(self, items: Sequence[Any]) -> list[Any]:
        self.asked += items
        return [self._row(item) for item in items]

    def _row(self, item: Any) -> Any:
        row = np.full(len(COLOURS), 0.1, np.float32)
        if isinstance(item, str):
            row[next(n for n, colour in enumerate(COLOURS) if colour in item)] = 3.0
        else:
            row[0 if item[..., 0].mean() > item[..., 2].mean() else 4] = 2.0
        return row


def test_logits_are_cosines_with_the_mean_of_three_phrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_colour, "Clip", FakeClip)
    colour = Tools().load("colour", "clip-colour")
    red, blue = (np.full((8, 8, 3), rgb, np.uint8) for rgb in ((250, 0, 0), (0, 0, 250)))
    whole = (0.0, 0.0, 8.0, 8.0)
    told = colour.measure([Crop(red, whole, "cow"), Crop(blue, (3.0, 3.0, 3.0, 5.0), "cow"), Crop(blue, whole, "cow")])
    assert told[1] is None
    assert [COLOURS[int(np.argmax(logits))] for logits in (told[0], told[2])] == ["red", "blue"]
    picture = colour.clip._row(red)
    text = colour.clip._row("red")
    cosine = picture @ text / np.linalg.norm(picture) / np.linalg.norm(text)
    assert told[0][0] == pytest.approx(100 * cosine, rel=1e-5)
    texts = [item for item in colour.clip.asked if isinstance(item, str)]
    assert texts[:3] == ["a photo of a red cow", "a photo of a red-colored cow", "a photo of a red object"]
    assert len(texts) == 30
    assert colour.identity["weights"] == "sha256:0"


def test_without_weights_the_colour_is_absent() -> None:
    assert isinstance(Tools().load("colour", "clip-colour"), Absent)
