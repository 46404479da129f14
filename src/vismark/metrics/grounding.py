"""How well the phrases of a caption are tied to what they name: an extension, no official metric.

A *region* is the set of segments that a phrase names; phrases that name the same set are one region. A region of the
truth is *found* when some region of the prediction overlaps it with IoU > 0.5, and a region of the prediction is
*right* when some region of the truth does. As in panoptic quality, pixels that are void in the truth do not count
against a prediction: IoU = I / (A_truth + A_prediction − I − void). Numbers are ratios of sums over all images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 256

OUTPUTS = ("phrase_recall", "phrase_precision", "tags_resolved", "area_told")


class Row(msgspec.Struct, frozen=True):
    """The counts of one image.

    Attributes:
        regions, found: regions of the truth, and how many of them were found.
        claims, right: regions of the prediction, and how many of them are right; one without a pixel is not.
        tags, resolved: tags of the predicted caption, and those of which every segment exists.
        painted, told: pixels of all predicted segments, and of those that a tag names.
    """

    regions: int
    found: int
    claims: int
    right: int
    tags: int
    resolved: int
    painted: int
    told: int


class Grounding:
    """Phrase recall and precision, and how consistent captions are with their own maps."""

    name = "grounding"
    outputs = OUTPUTS

    def row(
        self,
        truth: NDArray[np.uint32],
        regions: Sequence[Sequence[int]],
        predicted: NDArray[np.uint32],
        tags: Sequence[Sequence[int]],
    ) -> Row:
        """The counts of one image; see `measure`."""
        return measure(truth, regions, predicted, tags)

    def reduce(self, rows: Sequence[Row]) -> dict[str, float | None]:
        """The four ratios in 0 … 1; None where nothing was there to be counted."""
        total = {name: sum(getattr(row, name) for row in rows) for name in Row.__struct_fields__}
        return ratios(total)


def ratios(counts: Mapping[str, int]) -> dict[str, float | None]:
    """The four numbers that sums of counts give."""
    pairs = (("found", "regions"), ("right", "claims"), ("resolved", "tags"), ("told", "painted"))
    return {
        name: counts[part] / counts[whole] if counts[whole] else None
        for name, (part, whole) in zip(OUTPUTS, pairs, strict=True)
    }


def measure(
    truth: NDArray[np.uint32],
    regions: Sequence[Sequence[int]],
    predicted: NDArray[np.uint32],
    tags: Sequence[Sequence[int]],
) -> Row:
    """Compare the phrases of one image.

    Args:
        truth, predicted: segment ids of shape (height, width), 0 is void.
        regions: the segments that each true phrase names; empty ones are passed over.
        tags: the segments that each predicted phrase names, whether they exist or not.
    """
    import numpy as np

    true_ids, rows = np.unique(truth, return_inverse=True)
    ids, columns = np.unique(predicted, return_inverse=True)
    table = np.bincount(rows.ravel() * ids.size + columns.ravel(), minlength=true_ids.size * ids.size)
    table = table.reshape(true_ids.size, ids.size)
    wanted, claimed = _distinct(regions), _distinct(tags)
    found, right = _matched(table, true_ids, ids, wanted, claimed)
    areas = {int(id): int(area) for id, area in zip(ids, table.sum(0), strict=True) if id != 0}
    named = {segment for tag in tags for segment in tag}
    return Row(
        regions=len(wanted),
        found=found,
        claims=len(claimed),
        right=right,
        tags=len(tags),
        resolved=sum(all(segment in areas for segment in tag) for tag in tags),
        painted=sum(areas.values()),
        told=sum(area for segment, area in areas.items() if segment in named),
    )


def _matched(
    table: NDArray[np.int64],
    true_ids: NDArray[np.uint32],
    ids: NDArray[np.uint32],
    wanted: Sequence[Set[int]],
    claimed: Sequence[Set[int]],
) -> tuple[int, int]:
    """How many of the `wanted` regions are found, and how many of the `claimed` ones are right.

    Args:
        table: pixels of each pair of ids, shape (true ids, predicted ids).
    """
    import numpy as np

    inside = _indicators(wanted, true_ids)
    sizes, seen = inside @ table.sum(1), table[true_ids != 0].sum(0)
    found, right = np.zeros(len(wanted), np.bool_), 0
    # A caption may claim as many regions as it has words: in blocks, they need little memory.
    for start in range(0, len(claimed), _BLOCK):
        covered = _indicators(claimed[start : start + _BLOCK], ids)
        both = inside @ (table @ covered.T)
        matched = 2 * both > sizes[:, None] + covered @ seen - both
        found |= matched.any(1)
        right += int(matched.any(0).sum())
    return int(found.sum()), right


def _distinct(sets: Sequence[Sequence[int]]) -> list[Set[int]]:
    return list(dict.fromkeys(frozenset(one) for one in sets if one))


def _indicators(regions: Sequence[Set[int]], ids: NDArray[np.uint32]) -> NDArray[np.int64]:
    """int64 of shape (regions, ids): 1 where a region holds an id; void is in none."""
    import numpy as np

    found = np.zeros((len(regions), ids.size), np.int64)
    places = {id: place for place, id in enumerate(ids.tolist()) if id != 0}
    for row, region in enumerate(regions):
        found[row, [places[id] for id in region if id in places]] = 1
    return found
