"""CLIPScore from embeddings of images and of their captions, row by row; each variant has its name here.

Rows are not normalised yet, shape (n, d). Captions are cut to 77 tokens by every variant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]


def cosines(images: Rows, texts: Rows) -> NDArray[np.float64]:
    """The cosine of each image with its caption, shape (n,).

    Raises:
        ValueError: another number of captions than images.
    """
    if images.shape != texts.shape:
        raise ValueError(f"embeddings of shape {images.shape} and {texts.shape} are no pairs")
    x, y = (np.asarray(one, dtype=np.float64) for one in (images, texts))
    found: NDArray[np.float64] = (x * y).sum(axis=1) / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1))
    return found


def hessel(images: Rows, texts: Rows) -> float:
    """Hessel et al., arXiv:2104.08718: the mean of 2.5·max(cos, 0); ViT-B/32, captions after "A photo depicts "."""
    return float((2.5 * np.maximum(cosines(images, texts), 0)).mean())


def crossflow(images: Rows, texts: Rows) -> float:
    """CrossFlow's evaluation, which FlowTok follows: the mean of max(cos, 0); ViT-B/32, captions as they are."""
    return float(np.maximum(cosines(images, texts), 0).mean())


def torchmetrics(images: Rows, texts: Rows) -> float:
    """torchmetrics: max(100 · mean cosine, 0); ViT-L/14, captions as they are."""
    return float(max(100 * cosines(images, texts).mean(), 0.0))
