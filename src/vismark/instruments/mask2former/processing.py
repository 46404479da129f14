"""What mmdet 2.28 does before and after its Mask2Former: pixels to tensor, logits to objects.

The stock image processor of transformers is no substitute: it resizes with antialiasing, stretches to a multiple of 32
instead of padding, takes scores and boxes from masks of 384 × 384, and drops what scores under 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

# Long and short side that a picture is fitted into; sides are padded to a multiple of 32 with a grey of 128.
_LONG, _SHORT, _MULTIPLE, _GREY = 1333, 800, 32, 128
# Of the red, green and blue channel.
_MEAN = np.array((123.675, 116.28, 103.53), np.float32)
_SPREAD = np.array((58.395, 57.12, 57.375), np.float32)
# (query, class) pairs that are kept of a picture.
_MOST = 100
# Fixed point bits of OpenCV's linear interpolation.
_BITS = 11


@dataclass(frozen=True)
class Prepared:
    """A picture as the network takes it.

    Attributes:
        tensor: float32 of shape (3, height, width), padded.
        resized: (height, width) without padding.
        size: (height, width) of the picture itself.
    """

    tensor: NDArray[np.float32]
    resized: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class Objects:
    """The 100 best objects of a picture, in no order.

    Attributes:
        labels: int64 of shape (N,); scores: float32 of shape (N,); boxes: float32 of shape (N, 4).
        masks: bool of shape (N, height, width).
    """

    labels: torch.Tensor
    scores: torch.Tensor
    boxes: torch.Tensor
    masks: torch.Tensor


def prepare(pixels: NDArray[np.uint8]) -> Prepared:
    """Resize into 1333 × 800, pad with grey, normalise; `pixels` are uint8 RGB of shape (height, width, 3)."""
    height, width = pixels.shape[:2]
    scale = min(_LONG / max(height, width), _SHORT / min(height, width))
    resized = int(height * scale + 0.5), int(width * scale + 0.5)
    padded = np.full((*(-(-side // _MULTIPLE) * _MULTIPLE for side in resized), 3), _GREY, np.uint8)
    padded[: resized[0], : resized[1]] = resize(pixels, resized)
    normal = (padded.astype(np.float32) - _MEAN) / _SPREAD
    return Prepared(np.ascontiguousarray(normal.transpose(2, 0, 1)), resized, (height, width))


def resize(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Linear interpolation without antialiasing in OpenCV's fixed point arithmetic (``cv2.resize``, INTER_LINEAR)."""
    rows, down = _weights(pixels.shape[0], size[0])
    columns, right = _weights(pixels.shape[1], size[1])
    wide = pixels.astype(np.int32)
    next_column, next_row = (
        np.minimum(at + 1, side - 1) for at, side in zip((columns, rows), wide.shape[1::-1], strict=True)
    )
    one = 1 << _BITS
    lines = (wide[:, columns] * (one - right)[:, None] + wide[:, next_column] * right[:, None]) >> 4
    upper, lower = (lines[rows] * (one - down)[:, None, None]) >> 16, (lines[next_row] * down[:, None, None]) >> 16
    return np.asarray((upper + lower + 2) >> 2, np.uint8)


def find(class_logits: torch.Tensor, mask_logits: torch.Tensor, prepared: Prepared) -> Objects:
    """The objects of one picture (mmdet 2.28.2, ``MaskFormerFusionHead.instance_postprocess``).

    Args:
        class_logits: of the last layer, shape (queries, classes + 1); the last class is none.
        mask_logits: shape (queries, a quarter of the padded height, a quarter of the padded width).
    """
    import torch
    from torch.nn.functional import interpolate

    classes = class_logits.shape[1] - 1
    shares = class_logits.float().softmax(-1)[:, :-1].flatten()
    scores, places = shares.topk(min(_MOST, len(shares)), sorted=False)
    queries, labels = places // classes, places % classes
    chosen, inverse = torch.unique(queries, return_inverse=True)
    logits = interpolate(mask_logits[chosen][None].float(), prepared.tensor.shape[1:], mode="bilinear")
    logits = logits[..., : prepared.resized[0], : prepared.resized[1]]
    logits = interpolate(logits, prepared.size, mode="bilinear")[0]
    masks = logits > 0
    inside = (logits.sigmoid() * masks).flatten(1).sum(1) / (masks.flatten(1).sum(1) + 1e-6)
    boxes = torch.stack([_box(mask) for mask in masks])
    return Objects(labels, scores * inside[inverse], boxes[inverse], masks[inverse])


def _box(mask: torch.Tensor) -> torch.Tensor:
    """The tight box of a mask, right and bottom exclusive; zeros for an empty mask."""
    import torch

    rows, columns = torch.where(mask.any(1))[0], torch.where(mask.any(0))[0]
    if not len(rows):
        return mask.new_zeros(4, dtype=torch.float32)
    return torch.stack((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)).float()


def _weights(before: int, after: int) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """For each line of the new picture the line before it in the old one, and the weight of the next, in 1/2048."""
    at = (np.arange(after) + 0.5) * (before / after) - 0.5
    line = np.floor(at).astype(np.intp)
    part = np.where((line < 0) | (line >= before - 1), 0.0, at - line).astype(np.float32)
    return np.clip(line, 0, before - 1), np.rint(part * np.float32(1 << _BITS)).astype(np.int32)
