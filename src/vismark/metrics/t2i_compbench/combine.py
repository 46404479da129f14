"""BLIP-VQA from the answers about noun phrases, and 3-in-1 from three scores (``3_in_1.py``, 1b70949)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np


def vqa_score(answers: Sequence[float]) -> str:
    """The product of the shares of "yes" about each phrase, rounded as the script rounds: to 4 decimals, in float32.

    Args:
        answers: p(yes) / (p(yes) + p(no)) of the first eight phrases of a prompt; none gives ``1.0000``.
    """
    product = np.float32(1)
    for answer in answers[:8]:
        product *= np.float32(float(f"{answer:.4f}"))
    return f"{product:.4f}"


def three_in_one(
    prompt: str, attribute: float, spatial: float, clip: float, *, spatials: Collection[str], actions: Collection[str]
) -> float:
    """The score of a picture of `complex`: the mean of what its prompt is about.

    Args:
        spatials, actions: prompts with places only and with actions only, as `routed` gives them; others have both.
    """
    if routed(prompt) in spatials:
        return (spatial + attribute) / 2
    if routed(prompt) in actions:
        return (clip + attribute) / 2
    return (attribute + spatial + clip) / 3


def routed(prompt: str) -> str:
    """The form in which prompts are compared: up to the first full stop, in lower case."""
    return prompt.split(".")[0].lower()
