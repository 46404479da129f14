"""SPICE of a corpus from the scores of its images (see `vismark.instruments.spice`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vismark.formats.spice import SpiceScore


class Spice:
    """The mean F1 over images, 0 to 1.

    ``SPICE`` is the official number: not defined as soon as one image has no tuple on either side. ``SPICE-defined`` is
    the mean over the images that have one.
    """

    name = "SPICE"
    outputs = ("SPICE", "SPICE-defined")

    def row(self, score: SpiceScore) -> float | None:
        """F1 of one image, None where it is not defined."""
        return score.f

    def reduce(self, rows: Sequence[float | None]) -> dict[str, float | None]:
        """Both means, None where they are not defined."""
        defined = [row for row in rows if row is not None]
        mean = float(np.mean(np.array(defined))) if defined else None
        return {"SPICE": mean if len(defined) == len(rows) else None, "SPICE-defined": mean}
