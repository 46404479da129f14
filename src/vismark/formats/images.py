"""Pictures: bounded reading of JPEG and PNG files into RGB arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vismark.problems import Missing, refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vismark.tasks import Picture


def read_picture(picture: Picture) -> NDArray[np.uint8]:
    """The picture as uint8 RGB of shape (height, width, 3); see `Picture.pixels`.

    EXIF rotation is not applied: annotations refer to the stored pixels.
    """
    import numpy as np
    from PIL import Image

    if picture.path is None or not picture.path.is_file():
        raise Missing(
            f"The picture {picture.path.name if picture.path else picture.url or ''} is not here; "
            "name the folder of the images with --references images=DIR."
        )
    try:
        with Image.open(picture.path, formats=["JPEG", "PNG"]) as image:
            if (image.height, image.width) != (picture.height, picture.width):
                raise refuse(
                    "IMAGE_SIZE",
                    f"is {image.width}×{image.height}, the annotation says {picture.width}×{picture.height}",
                    file=picture.path.name,
                    fix="Use the original images of this split.",
                )
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refuse("IMAGE_UNREADABLE", f"cannot be decoded: {error}", file=picture.path.name) from error
