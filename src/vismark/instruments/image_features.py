"""What every feature network tells of an image, so that benchmarks can use any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ImageFeatures(NamedTuple):
    """The features of one image, float32 each; a network that lacks one gives it the length 0.

    Attributes:
        pool: for FID, KID, precision and recall; shape (d,).
        spatial: for sFID; a part of a map in (row, column, channel) order, flat.
        logits: for the Inception Score; without the bias of the last layer.
    """

    pool: NDArray[np.float32]
    spatial: NDArray[np.float32]
    logits: NDArray[np.float32]
