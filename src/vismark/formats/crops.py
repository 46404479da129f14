"""How sets of images are brought to a square before features are taken; each paper has its way, and so its numbers.

All take and give uint8 RGB of shape (height, width, 3), and use Pillow as the official codes do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vismark.formats.image_sets import ImageSet
from vismark.formats.image_survey import Surveyed
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


def square_lanczos(pixels: Pixels, size: int) -> Pixels:
    """The central square of the shorter side, then Lanczos (U-ViT and CrossFlow, `center_crop`)."""
    import numpy as np
    from PIL import Image

    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def shorter_bicubic(pixels: Pixels, size: int) -> Pixels:
    """The shorter side to `size` by bicubic, then the central square (torchvision's Resize and CenterCrop)."""
    from PIL import Image

    return _shorter(pixels, size, Image.Resampling.BICUBIC)


def shorter_bilinear(pixels: Pixels, size: int) -> Pixels:
    """The same by bilinear (the tokenizer configurations of MaskBit)."""
    from PIL import Image

    return _shorter(pixels, size, Image.Resampling.BILINEAR)


def adm(pixels: Pixels, size: int) -> Pixels:
    """Halved by box filters while twice too large, then bicubic, then the central square (guided-diffusion 22e0df8)."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(pixels)
    while min(image.size) >= 2 * size:
        image = image.resize((image.size[0] // 2, image.size[1] // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    wide, tall = (round(side * scale) for side in image.size)
    resized = np.asarray(image.resize((wide, tall), Image.Resampling.BICUBIC))
    top, left = (tall - size) // 2, (wide - size) // 2
    return resized[top : top + size, left : left + size]


def stretched(pixels: Pixels, size: int) -> Pixels:
    """To a square by bicubic, whatever the proportions (CrossFlow's reader of generated images)."""
    import numpy as np
    from PIL import Image

    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))


CROPS: dict[str, Callable[[Pixels, int], Pixels]] = {
    "square-lanczos": square_lanczos,
    "shorter-bicubic": shorter_bicubic,
    "shorter-bilinear": shorter_bilinear,
    "adm": adm,
    "stretched": stretched,
}


@dataclass(frozen=True)
class Cropped:
    """A set whose images are cropped when they are looked at; `how` is a name of `CROPS`."""

    inner: ImageSet
    how: str
    size: int

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.inner.name

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the set."""
        return self.inner.ids

    @property
    def classes(self) -> Mapping[str, str]:
        """Classes of the set."""
        return self.inner.classes

    @property
    def encoded(self) -> bool:
        """As the set."""
        return self.inner.encoded

    def place(self, id: str) -> str:
        """The file of an image."""
        return self.inner.place(id)

    def data(self, id: str) -> bytes:
        """The bytes before the crop."""
        return self.inner.data(id)

    def pixels(self, id: str) -> Pixels:
        """The pixels after the crop."""
        return CROPS[self.how](self.inner.pixels(id), self.size)


def cropped(surveyed: Surveyed, how: str, size: int) -> Surveyed:
    """The set with its images cropped, `how` being a name of `CROPS` or "" for none; digests say so."""
    if not how:
        return surveyed
    return Surveyed(Cropped(surveyed.images, how, size), surveyed.ids, _Digests(surveyed.digests, how, size))


@dataclass(frozen=True)
class _Digests(Mapping[str, str]):
    """Digests that tell of the crop, made one by one: a step asks for the set anew with every image."""

    inner: Mapping[str, str]
    how: str
    size: int

    def __getitem__(self, id: str) -> str:
        return digest_of([self.inner[id], self.how, self.size])

    def __iter__(self) -> Iterator[str]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)


def _shorter(pixels: Pixels, size: int, method: int) -> Pixels:
    import numpy as np
    from PIL import Image

    height, width = pixels.shape[:2]
    short = min(height, width)
    # torchvision cuts fractions of the longer side off, and rounds the corner half to even.
    wide, tall = (size * width // short, size * height // short)
    resized = np.asarray(Image.fromarray(pixels).resize((wide, tall), Image.Resampling(method)))
    top, left = round((tall - size) / 2), round((wide - size) / 2)
    return resized[top : top + size, left : left + size]
