"""The reference side of image generation: real images, statistics of their features, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vismark.formats.image_sets import open_set
from vismark.formats.image_survey import Surveyed, survey
from vismark.formats.npz import Npz
from vismark.formats.statistics import Statistics, read_statistics
from vismark.problems import Problems, Refused
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPEN_SIZE = (256, 256)


@dataclass(frozen=True)
class ImageReferences:
    """What generated images are compared with.

    Attributes:
        surveyed: the real images, or None where only statistics are at hand.
        statistics: treatment of the input (``tf1``, ``half-pixel``, ``clean``) → statistics of the pooled features of
            the whole reference set; ``tf1-spatial`` → of the spatial ones.
    """

    surveyed: Surveyed | None
    statistics: Mapping[str, Statistics] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Of the images and the statistics."""
        images = self.surveyed.digest if self.surveyed else ""
        return digest_of([images, {kind: one.digest for kind, one in self.statistics.items()}])

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in alphabetical order; their place is their number. () where none are stated."""
        return tuple(sorted(set(self.surveyed.images.classes.values()))) if self.surveyed else ()

    @cached_property
    def by_class(self) -> dict[int, list[str]]:
        """Number of a class → ids of its images; all images as class 0 where no classes are stated."""
        if self.surveyed is None:
            return {}
        stated = self.surveyed.images.classes
        found: dict[int, list[str]] = {}
        for id in self.surveyed.ids:
            found.setdefault(self.classes.index(stated[id]) if id in stated else 0, []).append(id)
        return found

    def nth(self, label: int, number: int) -> NDArray[np.uint8] | None:
        """A real image of a class, going round when there are fewer; any image where the classes are not known."""
        ids = self.by_class.get(label) or (list(self.surveyed.ids) if self.surveyed else [])
        return self.surveyed.images.pixels(ids[number % len(ids)]) if self.surveyed and ids else None


def read_image_references(
    path: Path | None,
    statistics: Mapping[str, Path],
    problems: Problems,
    size: tuple[int, int] | None = None,
) -> ImageReferences | None:
    """The references at `path`; None with errors in `problems`.

    Args:
        path: an ADM reference batch (images and statistics in one ``.npz``), a statistics file, or images of any kind.
        statistics: treatment → statistics file of features behind it.
        size: the (height, width) that every image must have, where pixels are compared.
    """
    try:
        known = {treatment: read_statistics(Npz(file)) for treatment, file in statistics.items()}
        images = path is not None
        if path is not None and path.suffix == ".npz":
            npz = Npz(path)
            known |= {"tf1": read_statistics(npz), "tf1-spatial": read_statistics(npz, "_s")}
            images = "arr_0" in npz.headers or known["tf1"] is None
        surveyed = survey(open_set(path, links=True), problems, size=size, prefix="REF") if path and images else None
    except Refused as refused:
        problems.extend(refused.problems)
        return None
    return ImageReferences(surveyed, {kind: one for kind, one in known.items() if one})


def grey(pixels: NDArray[np.uint8] | None, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """`pixels` at `size` (height, width), or their own; plain grey where there are none."""
    import numpy as np
    from PIL import Image

    if pixels is None:
        return np.full((*(size or _OPEN_SIZE), 3), 128, np.uint8)
    if size is None or pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC))
