"""Run-length masks of COCO: decoded here, with every bound checked, before any C code sees them.

Runs go down the columns and begin with zeros. The compressed string holds 5 bits a character, six-bit characters from
"0" on, and from the fourth run on the difference to the run before the last (cocoapi 8c9bcc3, `rleToString`).
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

# pycocotools holds runs in 32 bits, and one mask of this size has 100 MB.
PIXEL_LIMIT = 100_000_000

# Characters of one number: 6 hold 30 bits, enough for that limit, and so few that no sum of 64 bits can overflow.
LONGEST = 6

# Kinds of characters: E ends a number, C says that it goes on, x is in no mask.
_KINDS = b"x" * 48 + b"E" * 32 + b"C" * 32 + b"x" * 144
_TOO_LONG = b"C" * LONGEST


class Rle(msgspec.Struct, gc=False):
    """A run-length mask as it stands in a file: `size` is [height, width], `counts` a list of runs or a string."""

    size: Any = UNSET
    counts: Any = UNSET


class RleFault(Exception):
    """Why a run-length mask was refused; `code` is RLE_SIZE or RLE_COUNTS."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code = code
        self.fix = fix


def checked_runs(mask: Rle, size: tuple[int, int] | None) -> NDArray[np.int64]:
    """The lengths of the runs of a mask, zeros first, int64.

    Args:
        size: (height, width) of the image; None when it is not known: then the mask's own size counts.

    Raises:
        RleFault: the size is not that of the image, or the runs do not fill it exactly.
    """
    height, width = _size(mask.size, size)
    if isinstance(mask.counts, str) and len(mask.counts) > most_characters(height * width):
        raise RleFault("RLE_COUNTS", "the string holds more runs than the mask has pixels", "Encode the mask again.")
    runs = from_string(mask.counts) if isinstance(mask.counts, str) else _from_list(mask.counts)
    if runs.size and int(runs.min()) < 0:
        raise RleFault("RLE_COUNTS", "a run has a negative length", "Encode the mask again.")
    if runs.size and int(runs.max()) > height * width:
        raise RleFault("RLE_COUNTS", "a run is longer than the mask has pixels", "Encode the mask again.")
    total = int(runs.sum())
    if total != height * width:
        message = f"the runs sum to {total:,} pixels, the mask has {height}×{width} = {height * width:,}"
        raise RleFault("RLE_COUNTS", message, "Encode the mask again; it is cut, or of another size.")
    return runs


def most_characters(pixels: Any) -> Any:
    """The length of the longest string that an encoder makes of a mask of so many pixels (an integer or an array)."""
    return LONGEST * (pixels + 2)


def from_string(text: str) -> NDArray[np.int64]:
    """The runs in a compressed string, int64; negative lengths are not refused here.

    Raises:
        RleFault: RLE_COUNTS: the string has other characters, ends inside a number, or holds too large a number.
    """
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        codes = np.array([-1])
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < 64:
        raise RleFault("RLE_COUNTS", "the string has characters that no mask has", "Encode the mask again.")
    if not codes.size:
        return codes
    last = np.flatnonzero(codes & 32 == 0)
    if not last.size or last[-1] != codes.size - 1:
        raise RleFault("RLE_COUNTS", "the string ends inside a number", "It is cut; encode the mask again.")
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if int(lengths.max()) > LONGEST:
        raise RleFault("RLE_COUNTS", "the string holds a number of more than 30 bits", "Encode the mask again.")
    shifts = 5 * (np.arange(codes.size) - np.repeat(first, lengths))
    steps = np.add.reduceat((codes & 31) << shifts, first)
    steps -= np.where(codes[last] & 16, 1 << 5 * lengths, 0)
    runs: NDArray[np.int64] = steps
    runs[1::2] = np.cumsum(steps[1::2])
    runs[2::2] = np.cumsum(steps[2::2])
    return runs


def is_sound(counts: object, pixels: int) -> bool:
    """Whether compressed runs may be given to any decoder: sound characters, whole numbers, no negative run, and a
    sum of `pixels`. The same verdict as `checked_runs`, in a tenth of its time.
    """
    from hotcoco import mask

    if type(counts) is not str or not counts.isascii():
        return False
    kinds = counts.encode().translate(_KINDS)
    if kinds[-1:] != b"E" or b"x" in kinds or _TOO_LONG in kinds:
        return False
    try:  # hotcoco refuses negative runs and a sum above the size
        mask.rle_from_string(counts, pixels, 1)
    except ValueError:
        return False
    try:
        mask.rle_from_string(counts, pixels - 1, 1)
    except ValueError:
        return True
    return False


def area_of(runs: NDArray[np.int64]) -> int:
    """The number of pixels of a mask, from its runs."""
    return int(runs[1::2].sum())


def box_of(runs: NDArray[np.int64], height: int) -> list[int]:
    """The box [x, y, width, height] around a mask's pixels, from its runs; all 0 for an empty mask."""
    ends = np.cumsum(runs)
    starts, stops = (ends - runs)[1::2], ends[1::2]
    filled = stops > starts
    starts, stops = starts[filled], stops[filled] - 1
    if not starts.size:
        return [0, 0, 0, 0]
    left, right = int(starts[0] // height), int(stops[-1] // height)
    crossing = starts // height != stops // height
    top = 0 if crossing.any() else int((starts % height).min())
    bottom = height - 1 if crossing.any() else int((stops % height).max())
    return [left, top, right - left + 1, bottom - top + 1]


def compress(runs: NDArray[np.int64], size: tuple[int, int]) -> dict[str, Any]:
    """A compressed mask as a JSON object, from runs that fill `size` (height, width)."""
    from pycocotools import mask

    packed = mask.frPyObjects({"size": list(size), "counts": runs.tolist()}, *size)
    return {"size": list(size), "counts": packed["counts"].decode("ascii")}


def empty_mask(size: tuple[int, int]) -> dict[str, Any]:
    """A compressed mask without pixels, as a JSON object; `size` is (height, width)."""
    return compress(np.array([size[0] * size[1]]), size)


def pixels_of(runs: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask as booleans of shape (height, width), from runs that fill it."""
    values = np.repeat(np.arange(runs.size) % 2 == 1, runs)
    return values.reshape(size, order="F")


def _size(stated: Any, size: tuple[int, int] | None) -> tuple[int, int]:
    good = isinstance(stated, list) and len(stated) == 2 and all(type(one) is int and one > 0 for one in stated)
    if not good or stated[0] * stated[1] > PIXEL_LIMIT:
        raise RleFault("RLE_SIZE", f"size is {stated!r:.40}, not [height, width]", "Write [height, width].")
    if size is not None and tuple(stated) != size:
        swapped = "; height and width are swapped" if tuple(stated) == size[::-1] else ""
        message = f"the mask is {stated[0]}×{stated[1]}, the image {size[0]}×{size[1]} (height×width){swapped}"
        raise RleFault("RLE_SIZE", message, "size is [height, width] of the image.")
    return stated[0], stated[1]


def _from_list(counts: Any) -> NDArray[np.int64]:
    if not isinstance(counts, list) or not set(map(type, counts)) <= {int}:
        raise RleFault("RLE_COUNTS", "counts is no string and no list of integers", "Encode the mask again.")
    if counts and not 0 <= min(counts) <= max(counts) <= PIXEL_LIMIT:
        raise RleFault("RLE_COUNTS", "a run has an impossible length", "Encode the mask again.")
    return np.fromiter(counts, np.int64, len(counts))
