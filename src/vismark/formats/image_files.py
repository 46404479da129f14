"""Image files from strangers: PNG, JPEG and WebP, looked at before a pixel is decoded, then decoded into RGB."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vismark.formats import png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

# More than any image of a benchmark has; what a header states is allocated.
_PIXEL_LIMIT = 100_000_000
# The file of an image, whatever its size in pixels.
MOST_BYTES = 1 << 28

Fault = Literal["PATH", "MISSING", "UNREADABLE", "FORMAT", "SIZE", "MODE"]
_FORMATS = ("PNG", "JPEG", "WEBP")
_REWRITE = "Write it again as an RGB PNG with 8 bits a channel."


class ImageFault(Exception):
    """Why an image was refused: `fault` is the kind, the text a sentence, `fix` the remedy."""

    def __init__(self, fault: Fault, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fault: Fault = fault
        self.fix = fix


@dataclass(frozen=True)
class Header:
    """What the header of an image file says: size in pixels, format, mode of the pixels as Pillow names it."""

    height: int
    width: int
    format: str
    mode: str


def inspect(data: bytes) -> Header:
    """The header of an image file; of a PNG the whole chunk structure is checked.

    Raises:
        ImageFault: FORMAT (no image, or of another format), UNREADABLE (truncated), SIZE (over 100 million pixels),
            MODE (16 bits a channel, floats).
    """
    try:
        if data.startswith(b"\x89PNG"):
            png.inspect(data)
        with _opened(data) as image:
            header = Header(image.height, image.width, str(image.format), image.mode)
    except png.PngFault as fault:
        kind: Fault = "UNREADABLE" if fault.fault == "UNREADABLE" else "FORMAT"
        raise ImageFault(kind, str(fault), fault.fix) from fault
    if header.height * header.width > _PIXEL_LIMIT:
        stated = f"is {header.width}×{header.height} pixels; the limit is {_PIXEL_LIMIT:,} altogether"
        raise ImageFault("SIZE", stated, "Check the file.")
    if header.mode[0] in "IF":
        raise ImageFault("MODE", "has more than 8 bits a channel: converting would cut values off", _REWRITE)
    return header


def decode(data: bytes) -> NDArray[np.uint8]:
    """The pixels of an inspected image file as uint8 RGB, shape (height, width, 3).

    Other modes are converted as Pillow's ``convert("RGB")`` does, which every official tool calls.

    Raises:
        ImageFault: UNREADABLE.
    """
    import numpy as np

    try:
        with _opened(data) as image:
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageFault("UNREADABLE", f"cannot be decoded: {error}", "Write it again.") from error


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """An RGB PNG of `pixels`, shape (height, width, 3): packed lightly, since it is read more often than kept."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _opened(data: bytes) -> Any:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked
            return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageFault("SIZE", f"is too large: {error}", "Check the file.") from error
    except (OSError, SyntaxError, ValueError) as error:
        what = "is empty" if not data else "is no PNG, JPEG or WebP image"
        raise ImageFault("FORMAT", what, _REWRITE) from error
