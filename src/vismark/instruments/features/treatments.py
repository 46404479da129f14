"""How images are brought to the input of a feature network. Every protocol has its own way, and the way is the number.

=============  =====================================================================  =============================
name           what is done                                                           who does so
=============  =====================================================================  =============================
tf1            bilinear of TensorFlow 1 in float32 (half a pixel off, to be kept)     ADM, torch-fidelity
tf1-float64    the same in float64, as is the network                                 1d-tokenizer, MaskBit (rFID)
half-pixel     bilinear of torch, not antialiased                                     pytorch-fid, CrossFlow
clean          bicubic of Pillow, antialiased, clipped to 0 … 255, not rounded        clean-fid
squash         bicubic of Pillow, antialiased and rounded, proportions are not kept   FD-DINOv2, CMMD
crop           shorter side by bicubic of Pillow, then the central square             CLIP
as-is          nothing: images have the network's size already                        CrossFlow's CLIPScore
=============  =====================================================================  =============================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8]
Name = Literal["tf1", "tf1-float64", "half-pixel", "clean", "squash", "crop", "as-is"]

NAMES: tuple[Name, ...] = ("tf1", "tf1-float64", "half-pixel", "clean", "squash", "crop", "as-is")


@dataclass(frozen=True)
class Normalisation:
    """(x − mean) / std of values in 0 … 255, for each channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


INCEPTION = Normalisation((128.0,) * 3, (128.0,) * 3)
# pytorch-fid: 2·x/255 − 1.
INCEPTION_UNIT = Normalisation((127.5,) * 3, (127.5,) * 3)
IMAGENET = Normalisation(
    (255 * 0.485, 255 * 0.456, 255 * 0.406),
    (255 * 0.229, 255 * 0.224, 255 * 0.225),
)
CLIP = Normalisation(
    (255 * 0.48145466, 255 * 0.4578275, 255 * 0.40821073),
    (255 * 0.26862954, 255 * 0.26130258, 255 * 0.27577711),
)


def treated(
    images: Sequence[Pixels], name: Name, size: int, scale: Normalisation, device: torch.device
) -> torch.Tensor:
    """The input of a network: shape (n, 3, size, size), float32 (float64 for ``tf1-float64``) on `device`.

    Args:
        images: uint8 RGB of shape (height, width, 3) each, of any sizes.

    Raises:
        ValueError: ``as-is``, and an image has another size.
    """
    import torch

    dtype = torch.float64 if name == "tf1-float64" else torch.float32
    if len({image.shape for image in images}) == 1:
        x = _resized(np.stack(images), name, size, dtype, device)
    else:
        x = torch.cat([_resized(image[None], name, size, dtype, device) for image in images])
    mean, std = (torch.tensor(one, dtype=dtype, device=device).view(1, 3, 1, 1) for one in (scale.mean, scale.std))
    return (x - mean) / std


def _resized(images: Pixels, name: Name, size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Images of one size (n, h, w, 3) as (n, 3, size, size), values in 0 … 255."""
    import torch

    if name in ("clean", "squash", "crop"):
        pillow = {"clean": _clean, "squash": _squash, "crop": _crop}[name]
        return torch.from_numpy(np.stack([pillow(image, size) for image in images])).to(device).permute(0, 3, 1, 2)
    # Channels stay last in memory: convolutions want them so.
    x = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).to(dtype)
    if name == "as-is":
        if x.shape[2:] != (size, size):
            raise ValueError(f"images of {x.shape[3]}×{x.shape[2]} pixels, where the protocol takes {size}×{size}")
        return x
    if name == "half-pixel":
        # On 0 … 1, as pytorch-fid has it: the rounding differs from that of 0 … 255.
        unit = torch.nn.functional.interpolate(x / 255, size=(size, size), mode="bilinear", align_corners=False)
        return unit * 255
    return tf1_bilinear(x, size)


def tf1_bilinear(x: torch.Tensor, size: int) -> torch.Tensor:
    """TensorFlow 1's ``resize_bilinear`` without aligned corners, shape (n, 3, h, w) to (n, 3, size, size).

    Output i is read at i·in/out, not at (i + ½)·in/out − ½. Across first, then down; each row is done once, where the
    official reimplementation does it for every output row. On a CPU equal to TensorFlow bit by bit.
    """
    across, to_right, x_weight = _grid(x, x.shape[3], size)
    left, right = x[:, :, :, across], x[:, :, :, to_right]
    rows = left + (right - left) * x_weight
    down, to_bottom, y_weight = _grid(x, x.shape[2], size)
    top, bottom = rows[:, :, down], rows[:, :, to_bottom]
    return top + (bottom - top) * y_weight[:, None]


def _grid(x: torch.Tensor, source: int, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For each output place: the places before and after it, and the weight of the latter."""
    import torch

    scale = torch.tensor(source, dtype=torch.float32) / torch.tensor(size, dtype=torch.float32)
    places = torch.arange(size, dtype=x.dtype) * scale.to(x.dtype)
    before = places.floor()
    after = (before.long() + 1).clamp(max=source - 1)
    return before.long().to(x.device), after.to(x.device), (places - before).to(x.device)


def _clean(image: Pixels, size: int) -> NDArray[np.float32]:
    from PIL import Image

    channels = [Image.fromarray(image[:, :, c].astype(np.float32)) for c in range(3)]
    resized = [np.asarray(one.resize((size, size), Image.Resampling.BICUBIC), np.float32) for one in channels]
    return np.clip(np.stack(resized, axis=2), 0, 255)


def _squash(image: Pixels, size: int) -> NDArray[np.float32]:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC), np.float32)


def _crop(image: Pixels, size: int) -> NDArray[np.float32]:
    from PIL import Image

    height, width = image.shape[:2]
    short = min(height, width)
    # torchvision cuts the longer side's fraction off.
    wide, tall = (size * width // short, size * height // short)
    resized: Any = Image.fromarray(image).resize((wide, tall), Image.Resampling.BICUBIC)
    left, top = round((wide - size) / 2), round((tall - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size)), np.float32)
