"""Semantic label maps: a folder with one single-channel PNG an image, ``<sample id>.png``, whose values are labels.

A label is the position of a category, 255 is none. The truth is made from a panoptic ground truth while it is read, as
the preparation scripts of detectron2 (02b5c4e) make it, so no other files are needed.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vismark.formats import png
from vismark.formats.idmaps import compact, counts
from vismark.formats.panoptic import TrueSegment
from vismark.problems import Problems, refuse
from vismark.runtime.digests import digest_of
from vismark.tasks import Category, LabelMap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IGNORE = 255

# Names and labels that are listed one by one in a finding.
_SHOWN = 10


@dataclass(frozen=True)
class Labelling:
    """How categories of a panoptic ground truth become labels.

    Attributes:
        classes: the classes, the label is the position; under ``stuff`` the first is "things" with the id 0.
        label_of: category id → label.
    """

    classes: tuple[Category, ...]
    label_of: Mapping[int, int]


def labelling(name: str, categories: Mapping[int, Category]) -> Labelling:
    """The labels called `name`.

    Args:
        name: ``semseg``: every category by its position in the ground truth (detectron2's ``panoptic_semseg``);
            ``stuff``: all things are 0, stuff categories are 1, 2, … in order (``panoptic_stuff``, Panoptic FPN).

    Raises:
        Refused: there are more than 255 classes; 255 means none.
    """
    classes = tuple(categories.values())
    if name == "stuff":
        classes = (Category(0, "things"), *(one for one in classes if not one.isthing))
    if len(classes) > IGNORE:
        raise refuse("REF_CATEGORIES", f"{len(classes)} classes are too many: labels are 0 … {IGNORE - 1}")
    position = {one.id: label for label, one in enumerate(classes)}
    return Labelling(classes, {one.id: position.get(one.id, 0) for one in categories.values()})


def true_labels(
    ids: NDArray[np.uint32], segments: Sequence[TrueSegment], label_of: Mapping[int, int]
) -> NDArray[np.int32]:
    """The true labels of an image, int32 of the shape of `ids`; 255 where no listed segment is. Crowds count too."""
    import numpy as np

    values, places = compact(ids)
    label = {segment.id: label_of[segment.category_id] for segment in segments}
    table = np.array([label.get(id, IGNORE) for id in values.tolist()], dtype=np.int32)
    return table[places]


def read_labels(data: bytes, size: tuple[int, int] | None) -> NDArray[np.int32]:
    """The labels in a PNG file, int32 of shape (height, width).

    Args:
        data: the bytes of the file.
        size: (height, width) that it must have.

    Raises:
        png.PngFault: FORMAT (no PNG, or not one channel of 8 or 16 bits), SIZE, UNREADABLE or BYTES.
    """
    header = png.inspect(data)
    if (header.colour, header.depth) not in (("grey", 8), ("grey", 16), ("palette", 8)):
        kind = f"is {header.colour} with {header.depth} bits, not one channel with 8 or 16 bits"
        raise png.PngFault("FORMAT", kind, "Write labels into a greyscale PNG with 8 bits.")
    png.expect(header, size)
    return png.decode_values(data)


def encode_labels(labels: NDArray[np.integer]) -> bytes:
    """A greyscale PNG with 8 bits of labels in 0 … 255."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(labels.astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def prediction_problems(prediction: LabelMap, size: tuple[int, int], classes: int, item: str) -> Problems:
    """What is wrong with a predicted label map before it is written; `size` is (height, width)."""
    import numpy as np

    problems = Problems()
    labels = np.asarray(prediction.labels)
    if labels.shape != size:
        message = f"the map has shape {labels.shape}, the image is {size} (height, width)"
        problems.add("PREDICTION_SIZE", message, item=item, fix="Resize with nearest neighbours.")
    if not np.issubdtype(labels.dtype, np.integer):
        problems.add("PREDICTION_LABELS", "labels must be integers", item=item, value=str(labels.dtype))
    elif stray := strays(labels, classes):
        problems.add("PREDICTION_LABELS", f"labels are 0 … {classes - 1} or {IGNORE}", item=item, value=listed(stray))
    return problems


def strays(labels: NDArray[np.integer], classes: int) -> dict[int, int]:
    """Label → pixels of the labels that are neither a class nor 255."""
    return {label: n for label, n in counts(labels).items() if not 0 <= label < classes and label != IGNORE}


def listed(stray: Mapping[int, int]) -> str:
    """Labels with their pixels as text: ``200 (12 px), 201 (3 px)``."""
    shown = ", ".join(f"{label} ({n:,} px)" for label, n in list(stray.items())[:_SHOWN])
    return shown + (f" and {len(stray) - _SHOWN} more" if len(stray) > _SHOWN else "")


@dataclass(frozen=True)
class LabelFolder:
    """A semantic submission: ``<id>.png`` in `folder` for each of `ids`, with labels of `labelling`."""

    folder: Path
    ids: tuple[str, ...]
    labelling: Labelling


def read_folder(
    path: Path, every: Sequence[str], labels: Labelling, problems: Problems, wanted: Collection[str] | None
) -> tuple[LabelFolder, str] | None:
    """Read a submission by its file names; nothing is decoded.

    Args:
        every: the sample ids of the truth, in the protocol's order.
        wanted: sample ids that must be there; None scores whichever are.

    Returns:
        The submission and the digest of its list of samples, or None with errors in `problems`.
    """
    if not path.is_dir():
        fix = "Name the folder that holds one PNG an image."
        problems.add("SUB_FILE", "is no folder", file=path.name, fix=fix)
        return None
    if (path / ".journal").is_dir():
        fix = "Run the same `vismark predict` again; it goes on where it stopped."
        problems.add("SUB_FILE", "the predictions are not finished", file=path.name, fix=fix)
        return None
    there = {png_file.name.removesuffix(".png") for png_file in path.glob("*.png")}
    ids = tuple(id for id in every if id in there)
    _check_names(path.name, there - set(every), [id for id in wanted or () if id not in there], bool(ids), problems)
    return LabelFolder(path, ids, labels), digest_of(list(ids))


def _check_names(folder: str, extra: set[str], missing: list[str], some: bool, problems: Problems) -> None:
    if not some:
        message = "there is no label map of this ground truth in the folder"
        fix = "A label map is named like the PNG of the truth, such as 000000000139.png."
        problems.add("SUB_EMPTY", message, file=folder, fix=fix)
    if missing:
        message = f"{len(missing)} image(s) have no label map: {_some(missing)}"
        fix = "Predict them too, or use --partial to score the others as a part."
        problems.add("SUB_IMAGE_MISSING", message, file=folder, value=_some(missing), fix=fix)
    if extra:
        message = f"{len(extra)} PNG(s) belong to no image: {_some(sorted(extra))}"
        problems.add("SUB_PNG_EXTRA", message, severity="warning", file=folder, fix="Remove them, or mend the names.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
