"""Scores that a language model gives in words: reading them, and reducing them to one number.

ViCaS (arXiv:2412.09754; official tool 3d10993): a judge compares a predicted caption with every reference and answers a
number of 0 … 5; float32 means over references, then a plain mean over videos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

LOW, HIGH = 0.0, 5.0

Pooling = Literal["mean", "max"]


def read_verdict(answer: str) -> float | None:
    """The number in an answer, clipped to 0 … 5, or None where the answer is no number (``4/5``, ``Score: 4``).

    Everything that Python's `float` reads is a number, as officially: blanks around it, ``1e0``, ``inf``; also ``nan``.
    """
    try:
        value = float(answer)
    except ValueError:
        return None
    return value if math.isnan(value) else min(HIGH, max(LOW, value))


def official_score(answer: str) -> float:
    """The official score of an answer: 0 where it is no number; a nan stays one."""
    value = read_verdict(answer)
    return 0.0 if value is None else value


def repaired_score(answer: str) -> float:
    """The score of an answer, where a nan is no number either: it counts 0 and does not spoil the mean."""
    value = official_score(answer)
    return 0.0 if math.isnan(value) else value


def pool(scores: Sequence[float], pooling: Pooling = "mean") -> float:
    """The score of one video from those against each reference, in float32 as officially."""
    values = np.array(scores, np.float32)
    return float(values.mean() if pooling == "mean" else values.max())


def mean(videos: Sequence[float]) -> float | None:
    """The official mean over videos: a plain sum in order, divided; None for no video."""
    return sum(videos) / float(len(videos)) if videos else None
