"""What the benchmarks of generated images have in common: how a submission is opened and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vismark.benchmarks.base import Opened
from vismark.formats.image_files import encode
from vismark.formats.image_sets import ImageSet, flat, open_set
from vismark.formats.image_survey import Surveyed, survey
from vismark.problems import Problems, Refused, refuse
from vismark.runtime.atomic import write_bytes
from vismark.tasks import Image, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHOWN = 10


@dataclass(frozen=True)
class ImageSubmission:
    """Generated images that were looked at; `classes` are the numbers by id, as far as they are known."""

    surveyed: Surveyed
    classes: Mapping[str, int] = field(default_factory=dict)

    def opened(self) -> Opened[ImageSubmission]:
        """As the jobs take it."""
        return Opened(self, self.surveyed.ids, self.surveyed.digest)


def open_images(path: Path, problems: Problems) -> ImageSet | None:
    """The images at `path`; None with errors in `problems`."""
    try:
        return open_set(path)
    except Refused as refused:
        problems.extend(refused.problems)
        return None


def open_named(
    path: Path,
    known: Collection[str],
    wanted: Collection[str] | None,
    problems: Problems,
    size: tuple[int, int] | None = None,
) -> ImageSubmission | None:
    """A submission whose images are named after the questions; what is missing or unknown is found."""
    images = open_images(path, problems)
    if images is None:
        return None
    if not any(id in known for id in images.ids):
        images = flat(images)
    there = set(images.ids)
    unknown = [id for id in images.ids if id not in known]
    if unknown:
        message = f"{len(unknown):,} images are no answer to a question: {_listed(unknown)}"
        fix = "Name images after the ids that `vismark requests` writes, and remove the others."
        problems.add("SUB_IMAGE_UNKNOWN", message, file=images.name, value=len(unknown), fix=fix)
    missing = [id for id in (known if wanted is None else wanted) if id not in there]
    if missing and wanted is not None:
        message = f"{len(missing):,} questions have no image: {_listed(missing)}"
        fix = "Generate them, or score a part with --partial."
        problems.add("SUB_IMAGE_MISSING", message, file=images.name, value=len(missing), fix=fix)
    answers = [id for id in known if id in there]
    if not answers:
        problems.add("SUB_EMPTY", "holds no image that answers a question", file=images.name)
        return None
    return ImageSubmission(survey(images, problems, size=size, wanted=answers))


class ImageWriter:
    """Writes ``<id>.png`` into a folder."""

    entry = str

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, request: Request, prediction: Any) -> str:
        """Write one image and return its name.

        Raises:
            Refused: it is no image, or not of the size that was asked for.
        """
        name = f"{request.id}.png"
        write_bytes(self.path / name, encode(_pixels(request, prediction)))
        return name

    def finish(self, entries: Sequence[str]) -> None:
        """Nothing: no file holds all images together."""


def _pixels(request: Request, prediction: Any) -> NDArray[np.uint8]:
    import numpy as np

    if not isinstance(prediction, Image):
        message = f"the answer is a vismark.tasks.Image, this is {type(prediction).__name__}"
        raise refuse("PREDICTION_TYPE", message, item=request.id)
    pixels = np.asarray(prediction.pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        message = f"pixels are uint8 of shape (height, width, 3), these are {pixels.dtype} of shape {pixels.shape}"
        raise refuse("PREDICTION_PIXELS", message, item=request.id, fix="Scale to 0 … 255 and round, channels last.")
    size = _size(request)
    if size is not None and pixels.shape[:2] != size:
        message = f"the image is {pixels.shape[1]}×{pixels.shape[0]}, asked for was {size[1]}×{size[0]} (width×height)"
        raise refuse("PREDICTION_SIZE", message, item=request.id)
    return pixels


def _size(request: Any) -> tuple[int, int] | None:
    if hasattr(request, "size"):
        size: tuple[int, int] | None = request.size
        return size
    return request.image.height, request.image.width


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
