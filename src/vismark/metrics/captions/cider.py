"""CIDEr as pycocoevalcap 1.2 computes it, which is CIDEr-D of the paper, and two forms of it.

Source: Vedantam, Zitnick, Parikh, CIDEr: Consensus-based Image Description Evaluation (2015), and the official code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.metrics.captions.ngrams import Entries, entries

ORDERS = 4
_SIGMA = 6.0

Floats = NDArray[np.float64]


class CiderRow(msgspec.Struct, frozen=True, array_like=True):
    """The captions of one image: what an n-gram weighs is known only when all images are there."""

    candidate: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Frequencies:
    """Document frequencies of a whole split, so that the scores of a part of it can be compared.

    Attributes:
        images: number of images.
        counts: n-gram (tokens joined by blanks), n = 1 … 4 → number of images whose references hold it.
    """

    images: int
    counts: Mapping[str, int]

    @classmethod
    def of(cls, images: Iterable[Sequence[str]]) -> Frequencies:
        """The table of the references of each image, tokenized."""
        counts: Counter[str] = Counter()
        total = 0
        for total, references in enumerate(images, 1):  # noqa: B007  # the last number is the total
            words = [reference.split() for reference in references]
            counts.update(
                {
                    " ".join(one[at : at + order])
                    for one in words
                    for order in range(1, ORDERS + 1)
                    for at in range(len(one) - order + 1)
                }
            )
        return cls(total, counts)


class Cider:
    """Mean consensus with the references, 0 to 10.

    For n = 1 … 4 a caption is a vector: count of each n-gram times log(images) − log(max(1, images whose references
    hold it)). With h of the candidate and r of a reference, similarity_n = Σ min(h, r)·r / (‖h‖·‖r‖) · exp(−δ²/72),
    where δ is the difference of their numbers of bigrams; an image has 10 times the mean over n and references.

    Args:
        name: of the output.
        clipped: False is the first form of the paper: Σ h·r / (‖h‖·‖r‖), without clipping and length penalty.
        frequencies: of a whole split; without, they come from the references of the images that are reduced, as in
            the official tool, and one image alone has the score 0.
    """

    def __init__(self, name: str = "CIDEr", *, clipped: bool = True, frequencies: Frequencies | None = None) -> None:
        self.name = name
        self.outputs = (name,)
        self.clipped = clipped
        self.frequencies = frequencies

    def row(self, candidate: str, references: Sequence[str]) -> CiderRow:
        """The captions of one image, tokens joined by white space.

        Raises:
            ValueError: there is no reference.
        """
        if not references:
            raise ValueError("CIDEr needs a reference")
        return CiderRow(candidate, tuple(references))

    def reduce(self, rows: Sequence[CiderRow]) -> dict[str, float | None]:
        """The mean over images, None for none."""
        return {self.name: float(np.mean(self.images(rows))) if rows else None}

    def images(self, rows: Sequence[CiderRow]) -> Floats:
        """The score of each image, float64 of shape (images,)."""
        captions = [caption for row in rows for caption in (row.candidate, *row.references)]
        sizes = np.array([1 + len(row.references) for row in rows])
        image = np.repeat(np.arange(len(rows)), sizes)
        first = np.cumsum(sizes) - sizes
        is_reference = np.ones(len(captions), dtype=bool)
        is_reference[first] = False
        total = np.zeros(len(captions))
        lengths: Floats = np.zeros(len(captions))
        for found in entries(captions, ORDERS):
            if found.order == 2:
                lengths = _sums(found.caption, found.count, len(captions))
            total += self._similarities(found, image, is_reference)
        if self.clipped:
            total *= np.exp(-((lengths[first][image] - lengths) ** 2) / (2 * _SIGMA**2))
        means: Floats = np.add.reduceat(total, first) / ORDERS / (sizes - 1)
        return 10.0 * means

    def _similarities(self, found: Entries, image: NDArray[np.int64], is_reference: NDArray[np.bool_]) -> Floats:
        """Σ min(h, r)·r / (‖h‖·‖r‖) of each reference, 0 for candidates."""
        captions = len(image)
        weight = found.count * self._weights(found, image, is_reference)
        norm = np.sqrt(_sums(found.caption, weight**2, captions))
        # Entries are sorted by n-gram, then caption, and an image's candidate comes before its references.
        groups = found.starts(image[found.caption])
        of_candidate = np.where(is_reference[found.caption[groups]], 0.0, weight[groups])
        ours = np.repeat(of_candidate, np.diff(groups, append=len(weight)))
        common = (np.minimum(ours, weight) if self.clipped else ours) * weight
        common[(ours == 0.0) | ~is_reference[found.caption]] = 0.0
        sums = _sums(found.caption, common, captions)
        both = norm * norm[np.flatnonzero(~is_reference)[image]]
        sums[both != 0] /= both[both != 0]
        return sums

    def _weights(self, found: Entries, image: NDArray[np.int64], is_reference: NDArray[np.bool_]) -> Floats:
        """log(images) − log(max(1, document frequency)) for each entry."""
        if self.frequencies is not None:
            counts = np.array([self.frequencies.counts.get(gram, 0) for gram in found.texts()], dtype=np.float64)
            images = self.frequencies.images
        else:
            kept = is_reference[found.caption]
            gram, owner = found.gram[kept], image[found.caption[kept]]
            new = np.ones(len(gram), dtype=bool)
            new[1:] = (gram[1:] != gram[:-1]) | (owner[1:] != owner[:-1])
            counts = np.bincount(gram[new], minlength=found.grams).astype(np.float64)
            images = int(image[-1]) + 1
        weights: Floats = np.log(float(images)) - np.log(np.maximum(1.0, counts))
        return weights[found.gram]


def _sums(caption: NDArray[np.int64], values: NDArray[Any], captions: int) -> Floats:
    """Sum of the `values` of each caption."""
    return np.bincount(caption, values, minlength=captions).astype(np.float64)


# The official number under its right name, for use with the frequencies of a whole split.
CiderD = partial(Cider, "CIDEr-D")
