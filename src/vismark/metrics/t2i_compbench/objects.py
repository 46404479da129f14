"""Detected objects with free labels, and which of them a noun means."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Box = tuple[float, float, float, float]

# The scripts ask detectors for a person where a prompt says one of these.
_PERSONS = ("girl", "boy", "man", "woman")

# Nouns of the prompts that UniDet's unified labels lack, and the labels that mean the same (for repaired scoring).
_SYNONYMS = {
    "bag": ("handbag", "backpack"),
    "computer": ("laptop", "monitor"),
    "cow": ("cattle",),
    "mouse": ("mouse2",),
    "phone": ("mobile phone", "cell phone", "telephone"),
    "sofa": ("couch",),
    "painting": ("picture", "picture frame"),
}


class Labelled(msgspec.Struct, frozen=True):
    """An object: its label, its box (left, top, right, bottom in pixels of the detector's picture), its score."""

    label: str
    box: Box
    score: float


def person(noun: str) -> str:
    """The noun that a detector is asked for."""
    return "person" if noun in _PERSONS else noun


def means(label: str, noun: str) -> bool:
    """Whether one of the names in a label (``mobile phone, cell phone``) is the noun or a synonym of it."""
    names = {part.strip() for part in label.split(",")}
    return noun in names or any(other in names for other in _SYNONYMS.get(noun, ()))


def iou(a: Box, b: Box) -> float:
    """Intersection over union without the extra pixel of older tools; 0 for an empty union."""
    inner = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return inner / union if union else 0.0


def where(objects: Sequence[Labelled], noun: str, *, repaired: bool) -> list[int]:
    """The places of the objects that a noun means, best first; officially the label is the noun itself."""
    return [place for place, one in enumerate(objects) if (means(one.label, noun) if repaired else one.label == noun)]
