"""CAPTURE from the overlap of scene graphs (see `vismark.instruments.capture`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vismark.formats.scene_graphs import Overlap, Overlaps

_SMALL = 1e-6
# Of objects, attributes and relations.
_WEIGHTS = (0.5, 0.5, 0.2)


class Capture:
    """Mean CAPTURE over images, 0 to 1.

    F = 2PR / (P + R + 1e-6) with P = matched / (elements + 1e-6) of the candidate, R of the reference, for objects,
    attributes and relations; CAPTURE = (0.5·F_objects + 0.5·F_attributes + 0.2·F_relations) / 1.2; an image has the
    mean over its references.
    """

    name = "CAPTURE"
    outputs = ("CAPTURE",)

    def row(self, pairs: Sequence[Overlaps]) -> float:
        """The score of one image from its overlap with each reference.

        Raises:
            ValueError: there is no reference.
        """
        if not pairs:
            raise ValueError("CAPTURE needs a reference")
        return sum(map(score, pairs)) / len(pairs)

    def reduce(self, rows: Sequence[float]) -> dict[str, float | None]:
        """The mean, None for no images."""
        return {"CAPTURE": float(np.mean(np.array(rows))) if rows else None}


def score(pair: Overlaps) -> float:
    """CAPTURE of a candidate and one reference."""
    kinds = (pair.objects, pair.attributes, pair.relations)
    weighted = sum(weight * _f(kind) for weight, kind in zip(_WEIGHTS, kinds, strict=True))
    return weighted / sum(_WEIGHTS)


def _f(kind: Overlap) -> float:
    precision = kind.candidate_matches / (kind.candidate + _SMALL)
    recall = kind.reference_matches / (kind.reference + _SMALL)
    return 2 * precision * recall / (precision + recall + _SMALL)
