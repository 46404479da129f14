"""Outputs of grounding models as grounded captions: phrases and a list of masks become a tagged caption and one map.

Two forms are understood, each an object an image with `image_id`, `pred_masks` (run lengths, as COCO has them),
`category_ids` (or `categories`, names) and perhaps `scores`, one for each mask:

- `text`: ``<p>a dog</p> [SEG] on <p>two chairs</p> [SEG] [SEG].`` — the markers take the masks in order; ``<SEG>``,
  ``<SEG_t>`` and ``<SEG_s>`` are markers too;
- `caption` with `phrases` and `phrase_seg_counts`: phrase after phrase is looked for in the caption and takes so many
  of the masks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vismark.formats.panoptic_entries import kind
from vismark.formats.rle import Rle, RleFault, checked_runs, pixels_of
from vismark.tasks import Category, GroundedText, Panoptic, Segment, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARK = re.compile(r"[\[<]SEG(?:_[ts])?[\]>]")
_PARTS = re.compile(r"<p>(.*?)</p>((?:\s*[\[<]SEG(?:_[ts])?[\]>])*)|[\[<]SEG(?:_[ts])?[\]>]|</?s>", re.DOTALL)


class Unfit(Exception):
    """Why an output cannot be converted; `fix` is the remedy."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Converted:
    """A converted output.

    Attributes:
        covered, total: pixels of all masks that better masks took, and pixels of all masks.
        vanished: masks of which nothing is left.
    """

    text: GroundedText
    covered: int
    total: int
    vanished: int


def convert(item: Mapping[str, Any], size: tuple[int, int], categories: Mapping[int, Category]) -> Converted:
    """Convert the output for one image.

    Masks are painted by descending score (equal ones in order) and never over one another; masks of one stuff category
    become one segment, and so do equal masks of one category. A phrase keeps the segments of which pixels are left.

    Args:
        size: (height, width) of the image.

    Raises:
        Unfit: a field is missing or wrong, a mask is none of this image, or markers and masks do not match.
    """
    masks = [_mask(one, number, size) for number, one in enumerate(_list(item, "pred_masks"))]
    kinds = _categories(item, len(masks), categories)
    scores = _scores(item, len(masks))
    text, phrases = _marked(item["text"]) if isinstance(item.get("text"), str) else _listed(item)
    named = [number for _, _, numbers in phrases for number in numbers]
    if named and max(named) >= len(masks):
        message = f"the text has {max(named) + 1} markers for {len(masks)} masks"
        raise Unfit(message, "Give one mask for each marker, in the order of the text.")
    panoptic, ids, covered, total = _painted(masks, kinds, scores, size)
    spans = []
    for start, stop, numbers in phrases:
        segments = tuple(dict.fromkeys(ids[number] for number in numbers if ids[number]))
        spans += [Span(start, stop, segments)] if segments else []
    return Converted(GroundedText(text, tuple(spans), panoptic), covered, total, sum(id == 0 for id in ids))


_Phrases = list[tuple[int, int, tuple[int, ...]]]  # start and stop in the text, numbers of masks


def _marked(text: str) -> tuple[str, _Phrases]:
    """The plain text and the phrases of marked text."""
    out, phrases, at, mask = "", [], 0, 0
    for part in _PARTS.finditer(text):
        out += text[at : part.start()]
        at = part.end()
        if part[1] is None:
            mask += part[0].endswith(("SEG]", "SEG>")) or "SEG_" in part[0]
            continue
        count, phrase = len(_MARK.findall(part[2])), part[1].strip()
        if phrase and count:
            phrases.append((len(out), len(out) + len(phrase), tuple(range(mask, mask + count))))
        out += phrase
        mask += count
    return out + text[at:], phrases


def _listed(item: Mapping[str, Any]) -> tuple[str, _Phrases]:
    """The caption and the phrases that lists tell of."""
    caption = item.get("caption")
    if not isinstance(caption, str):
        raise Unfit("there is no `text`, and `caption` is no string", "Write `text` with markers, or `caption`.")
    names, counts = _list(item, "phrases"), _list(item, "phrase_seg_counts")
    if len(names) != len(counts) or not all(type(one) is int and one >= 0 for one in counts):
        raise Unfit("`phrase_seg_counts` is no count for each phrase", "Write one integer for each of `phrases`.")
    phrases: _Phrases = []
    at = mask = 0
    for name, count in zip(names, counts, strict=True):
        start = caption.find(name, at) if isinstance(name, str) and name.strip() else -1
        if start < 0:
            message = f"the phrase {name!r:.60} is not in the caption behind the one before"
            raise Unfit(message, "List phrases in the order of the caption.")
        at = start + len(name)
        if count:
            phrases.append((start, at, tuple(range(mask, mask + count))))
        mask += count
    return caption, phrases


def _painted(
    masks: Sequence[NDArray[np.bool_]], kinds: Sequence[Category], scores: Sequence[float], size: tuple[int, int]
) -> tuple[Panoptic, list[int], int, int]:
    """The map, the segment id of each mask (0: nothing is left of it), the pixels that others had taken, all pixels."""
    import numpy as np

    ids, found, covered, total = np.zeros(size, np.uint32), [0] * len(masks), 0, 0
    segments: dict[int, Segment] = {}
    stuff: dict[int, int] = {}
    seen: dict[tuple[int, bytes], int] = {}
    for number in sorted(range(len(masks)), key=lambda one: -scores[one]):
        first = seen.setdefault((kinds[number].id, np.packbits(masks[number]).tobytes()), number)
        if first != number:
            found[number] = found[first]
            continue
        free = masks[number] & (ids == 0)
        category = kinds[number]
        id = number + 1 if category.isthing else stuff.setdefault(category.id, number + 1)
        # A second mask of a stuff category may lie over the first: those pixels are its own.
        total += int(masks[number].sum())
        covered += int((masks[number] & (ids != 0) & (ids != id)).sum())
        ids[free] = id
        if free.any() or (masks[number] & (ids == id)).any():
            found[number] = id
            segments[id] = Segment(id, category.id)
    return Panoptic(ids, tuple(segments[id] for id in sorted(segments))), found, covered, total


def _mask(one: Any, number: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    if not isinstance(one, dict):
        raise Unfit(f"mask {number} is {kind(one)}, not an object", 'Write {"size": [h, w], "counts": …}.')
    try:
        return pixels_of(checked_runs(Rle(one.get("size"), one.get("counts")), size), size)
    except RleFault as fault:
        raise Unfit(f"mask {number}: {fault}", fault.fix) from fault


def _categories(item: Mapping[str, Any], count: int, known: Mapping[int, Category]) -> list[Category]:
    if "category_ids" in item or "categories" not in item:
        stated: list[Any] = _list(item, "category_ids")
        by: Mapping[Any, Category] = known
    else:
        stated, by = _list(item, "categories"), {one.name: one for one in known.values()}
    unknown = [one for one in stated if not isinstance(one, int | str) or isinstance(one, bool) or one not in by]
    if len(stated) != count or unknown:
        message = f"{len(stated)} categories for {count} masks" + (f", unknown: {unknown[:5]!r:.80}" if unknown else "")
        raise Unfit(message, "Give the data set's category id (or exact name) of every mask.")
    return [by[one] for one in stated]


def _scores(item: Mapping[str, Any], count: int) -> list[float]:
    if "scores" not in item:
        return [0.0] * count
    scores = _list(item, "scores")
    sound = all(isinstance(one, int | float) and abs(one) < float("inf") for one in scores)
    if len(scores) != count or not sound:
        raise Unfit(f"`scores` is no finite number for each of the {count} masks", "Leave it out, or mend it.")
    return scores


def _list(item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    if not isinstance(value, list):
        raise Unfit(f"`{name}` is {kind(value) if name in item else 'missing'}", f"Write `{name}` as a list.")
    return value
