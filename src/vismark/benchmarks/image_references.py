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


@dataclass(frozen=True)
class ImageReferences:
    """What generated images are compared with.

    Attributes:
        surveyed: the real images, or None where only statistics are at hand.
        statistics: kind of features (``pool``, ``spatial``, ``clean``) → statistics of the whole reference set.
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


def read_image_references(path: Path, clean: Path | None, problems: Problems) -> ImageReferences | None:
    """The references at `path`; None with errors in `problems`.

    Args:
        path: an ADM reference batch (images and statistics in one ``.npz``), a statistics file, or images of any kind.
        clean: statistics of clean-fid's features.
    """
    try:
        statistics: dict[str, Statistics] = {}
        images = True
        if path.suffix == ".npz":
            npz = Npz(path)
            found = {"pool": read_statistics(npz), "spatial": read_statistics(npz, "_s")}
            statistics = {kind: one for kind, one in found.items() if one}
            images = "arr_0" in npz.headers or not statistics
        if clean is not None and (one := read_statistics(Npz(clean))):
            statistics["clean"] = one
        surveyed = survey(open_set(path, links=True), problems, prefix="REF") if images else None
    except Refused as refused:
        problems.extend(refused.problems)
        return None
    return ImageReferences(surveyed, statistics)
