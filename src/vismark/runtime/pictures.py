"""Pictures: bounded reading of JPEG and PNG files into RGB arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vismark.problems import Missing, refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_picture(path: Path | None, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture as uint8 RGB of shape (height, width, 3); `size` is the (height, width) that the annotation states.

    EXIF rotation is not applied: annotations refer to the stored pixels.

    Raises:
        Missing: there is no file.
        Refused: the file is no readable JPEG or PNG of that size.
    """
    import numpy as np
    from PIL import Image

    if path is None or not path.is_file():
        name = f" {path.name}" if path else ""
        raise Missing(f"The picture{name} is not here; name the folder of the images with --references images=DIR.")
    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            if (image.height, image.width) != size:
                message = f"is {image.width}×{image.height}, the annotation says {size[1]}×{size[0]} (width×height)"
                raise refuse("IMAGE_SIZE", message, file=path.name, fix="Use the original images of this split.")
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refuse("IMAGE_UNREADABLE", f"cannot be decoded: {error}", file=path.name) from error


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of a JPEG or PNG file from its header; (0, 0) when it is not here or no such file."""
    from PIL import Image

    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0, 0
