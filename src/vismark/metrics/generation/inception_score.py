"""The Inception Score (Salimans et al., arXiv:1606.03498): exp of the mean KL divergence of p(y|x) from p(y).

The tools differ in how they cut the images into parts and in precision; each convention has its name here. All take
logits without the bias of the last layer, shape (n, classes): the Inception graph multiplies by the weight alone.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

ADM_CHUNK = 5000


def adm(logits: NDArray[np.float32], chunk: int = ADM_CHUNK) -> float:
    """As guided-diffusion 22e0df8 (`evaluator.py`): the mean over chunks of 5,000 in the order of the file.

    Softmax in float32; a short last chunk counts like a whole one. Not a number when a probability underflows to 0,
    as there. Samples sorted by class make the score meaningless; see `order_matters`.
    """
    scores = []
    for start in range(0, len(logits), chunk):
        part = _softmax(np.asarray(logits[start : start + chunk], dtype=np.float32))
        with np.errstate(divide="ignore", invalid="ignore"):
            divergence = part * (np.log(part) - np.log(part.mean(axis=0, keepdims=True)))
        scores.append(np.exp(divergence.sum(axis=1).mean()))
    return float(np.mean(scores))


def torch_fidelity(logits: NDArray[np.floating], splits: int = 10, shuffle: bool = True) -> tuple[float, float]:
    """As torch-fidelity 0.4.0 and its fork by LTH14: (mean, standard deviation) over ten parts of shuffled rows.

    float64; the shuffle is the legacy generator of NumPy with seed 2020.

    Raises:
        ValueError: fewer images than parts.
    """
    n = len(logits)
    if n < splits:
        raise ValueError(f"{n} images cannot be cut into {splits} parts")
    order = np.random.RandomState(2020).permutation(n) if shuffle else np.arange(n)
    bounds = [part * n // splits for part in range(splits + 1)]
    scores = [_exact(logits[order[start:stop]].astype(np.float64)) for start, stop in pairwise(bounds)]
    return float(np.mean(scores)), float(np.std(scores))


def tokenizer(logits: NDArray[np.floating]) -> float:
    """As the tokenizer evaluators of 1d-tokenizer 942a96f and MaskBit 5ea3d73: all images at once, float64."""
    n, total, own = len(logits), np.zeros(logits.shape[1]), 0.0
    for start in range(0, n, ADM_CHUNK):
        p = _softmax(np.asarray(logits[start : start + ADM_CHUNK], dtype=np.float64))
        total += p.sum(axis=0)
        own += float((p * np.log(p + 1e-16)).sum())
    return float(np.exp((own - (total * np.log(total / n + 1e-16)).sum()) / n))


def order_matters(logits: NDArray[np.floating], chunk: int = ADM_CHUNK) -> float:
    """The share of the score by `adm` that the order of the samples takes away: near 0 unless they are sorted.

    Compares with the mean over three seeded shuffles. With a thousand sorted classes nearly all is lost.
    """
    random = np.random.default_rng(0)
    shuffled = np.mean([adm(logits[random.permutation(len(logits))], chunk) for _ in range(3)])
    return float(1 - adm(logits, chunk) / shuffled)


def _exact(logits: NDArray[np.float64]) -> float:
    """exp of the mean divergence of one part."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    return float(np.exp((p * (log_p - np.log(p.mean(axis=0)))).sum(axis=1).mean()))


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.floating] = powers / powers.sum(axis=1, keepdims=True)
    return found
