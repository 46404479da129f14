"""The feature network of the shapes miniature: three convolutions, in NumPy, with weights that come with the package.

It stands where Inception stands: pooled features for Fréchet distances, a spatial map for sFID, logits for the
Inception Score. `scripts/train_shapes_features.py` trained it on portraits that no benchmark uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.instruments.image_features import ImageFeatures
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 32
_WEIGHTS = Path(__file__).with_name("shapes_features.npz")
_LAYERS = 3
# The sum of the pooled features of a fixed picture, by treatment of the input.
_KNOWN = {"sampled": 778.4366, "area": 775.3757}


def shrunk(pixels: NDArray[np.uint8], how: Literal["sampled", "area"]) -> NDArray[np.float32]:
    """A picture of any size as float32 of shape (32, 32, 3) in −1 … 1.

    Args:
        how: ``sampled`` takes single pixels, as the resize of Inception's graph nearly does; ``area`` averages.
    """
    import numpy as np
    from PIL import Image

    if how == "sampled":
        rows, columns = (np.arange(SIDE) * side // SIDE for side in pixels.shape[:2])
        small = pixels[rows[:, None], columns]
    else:
        small = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))
    scaled: NDArray[np.float32] = (small.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    return scaled


class ShapesFeatures:
    """The network behind the instrument interface; the card's version names the treatment of the input."""

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.how: Literal["sampled", "area"] = "sampled" if card.version == "sampled" else "area"

    @property
    def identity(self) -> Mapping[str, str]:
        """Digest of the weights, and the treatment of the input."""
        return {"weights": digest_of(_WEIGHTS.read_bytes()), "input": f"{self.how} {SIDE}×{SIDE}", "dtype": "float32"}

    def measure(self, items: Sequence[NDArray[np.uint8]]) -> list[ImageFeatures]:
        """The features of each image: 32 pooled, 32 of the map, 8 logits."""
        import numpy as np

        x = np.stack([shrunk(pixels, self.how) for pixels in items])
        for layer in range(_LAYERS):
            raw = _convolved(x, self._weights[f"conv{layer}.weight"]) + self._weights[f"conv{layer}.bias"]
            x = np.maximum(raw, 0)
        pool = x.mean(axis=(1, 2))
        # Two channels of the raw map, as sFID takes seven of Inception's.
        spatial = np.ascontiguousarray(raw[..., :2]).reshape(len(x), -1)
        logits = pool @ self._weights["fc.weight"]
        return [ImageFeatures(*features) for features in zip(pool, spatial, logits, strict=True)]

    def selftest(self) -> Problems:
        """Whether NumPy gives here what it gave where the weights were trained, on a fixed picture."""
        import numpy as np

        problems = Problems()
        pixels = (np.indices((64, 64, 3)).sum(axis=0) * 7 % 256).astype(np.uint8)
        found = float(self.measure([pixels])[0].pool.sum())
        if abs(found - _KNOWN[self.how]) > 0.01:
            problems.add("INSTRUMENT_VALUE", f"{self.name} gives {found}, not {_KNOWN[self.how]}", value=found)
        return problems

    @cached_property
    def _weights(self) -> dict[str, NDArray[np.float32]]:
        import numpy as np

        with np.load(_WEIGHTS, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def _convolved(x: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """3 × 3 convolution with stride 2 and a padding of 1: (n, h, w, c) with (3, 3, c, d) gives (n, h/2, w/2, d)."""
    import numpy as np

    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    flat = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weight[..., 0].size)
    found: NDArray[np.float32] = flat @ weight.reshape(flat.shape[1], -1)
    return found.reshape(*windows.shape[:3], -1)
