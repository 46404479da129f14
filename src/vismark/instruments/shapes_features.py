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

Treatment = Literal["tf1", "tf1-float64", "half-pixel", "clean"]

SIDE = 32
_WEIGHTS = Path(__file__).with_name("shapes_features.npz")
_LAYERS = 3
# The sum of the pooled features of a fixed picture, by treatment of the input.
_KNOWN = {"tf1": 51.6389, "tf1-float64": 51.6389, "half-pixel": 53.9918, "clean": 51.4359}


def shrunk(pixels: NDArray[np.uint8], how: Treatment) -> NDArray[np.float32]:
    """A picture of any size as float32 of shape (32, 32, 3) in −1 … 1.

    Args:
        how: ``clean`` averages; the others take single pixels, ``tf1`` at the corner of what one stands for and
            ``half-pixel`` at its middle (there is no float64 here).
    """
    import numpy as np
    from PIL import Image

    if how != "clean":
        shift = int(how == "half-pixel")
        rows, columns = ((2 * np.arange(SIDE) + shift) * side // (2 * SIDE) for side in pixels.shape[:2])
        small = pixels[rows[:, None], columns]
    else:
        small = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))
    scaled: NDArray[np.float32] = (small.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    return scaled


class ShapesFeatures:
    """The network behind the interface of the feature networks.

    Attributes:
        treatment: how images are brought to its size, see `shrunk`.
        batch: how many images it takes at once.
        departs: always "": there is one file of weights, and one precision.
    """

    departs = ""

    def __init__(self, card: InstrumentCard, tools: Tools, treatment: Treatment = "tf1") -> None:
        self.name = card.name
        self.card = card
        self.tools = tools
        self.treatment = treatment
        self.batch = tools.batch_size or 64

    def treated(self, treatment: Treatment) -> ShapesFeatures:
        """The same network behind another treatment."""
        return ShapesFeatures(self.card, self.tools, treatment)

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """Digest of the weights, and the treatment of the input."""
        return {"weights": digest_of(_WEIGHTS.read_bytes()), "treatment": self.treatment}

    def measure(self, items: Sequence[NDArray[np.uint8]]) -> list[ImageFeatures]:
        """The features of each image: 32 pooled, 32 of the map, 8 logits; the same bits in any company."""
        return [self._features(pixels) for pixels in items]

    def selftest(self) -> Problems:
        """Whether NumPy gives here what it gave where the weights were trained, on a fixed picture."""
        import numpy as np

        problems = Problems()
        pixels = (np.indices((64, 64, 3)).sum(axis=0) * 7 % 256).astype(np.uint8)
        found = float(self.measure([pixels])[0].pool.sum())
        if abs(found - _KNOWN[self.treatment]) > 0.001:
            problems.add("INSTRUMENT_VALUE", f"{self.name} gives {found}, not {_KNOWN[self.treatment]}", value=found)
        return problems

    def _features(self, pixels: NDArray[np.uint8]) -> ImageFeatures:
        import numpy as np

        # One image at a time: matrix products of another size round differently.
        x = shrunk(pixels, self.treatment)[None]
        for layer in range(_LAYERS):
            raw = convolved(x, self._weights[f"conv{layer}.weight"]) + self._weights[f"conv{layer}.bias"]
            x = np.maximum(raw, 0)
        pool = x[0].mean(axis=(0, 1))
        # Two channels of the raw map, as sFID takes seven of Inception's.
        return ImageFeatures(pool, np.ascontiguousarray(raw[0, ..., :2]).ravel(), pool @ self._weights["fc.weight"])

    @cached_property
    def _weights(self) -> dict[str, NDArray[np.float32]]:
        import numpy as np

        with np.load(_WEIGHTS, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def convolved(x: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """3 × 3 convolution with stride 2 and a padding of 1: (n, h, w, c) with (3, 3, c, d) gives (n, h/2, w/2, d)."""
    import numpy as np

    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    flat = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weight[..., 0].size)
    found: NDArray[np.float32] = flat @ weight.reshape(flat.shape[1], -1)
    return found.reshape(*windows.shape[:3], -1)
