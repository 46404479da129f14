"""The dear step of semantic scoring: read both maps of an image, check them, count the pairs of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.formats import png
from vismark.formats.panoptic import PanopticTruth, ids_from_rgb
from vismark.formats.semantic import IGNORE, LabelFolder, Labelling, listed, read_labels, strays, true_labels
from vismark.metrics.semantic import Cell, confusion
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# No PNG of 100 million RGB pixels has more bytes.
_MOST_BYTES = 1 << 29


class Confused(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: how many pixels have each pair of a predicted and a true label."""

    cells: tuple[Cell, ...] = ()


class ConfusionStep:
    """Counts pairs of labels (detectron2 02b5c4e, `SemSegEvaluator.process`); `labels` names the labelling."""

    def __init__(self, labels: str) -> None:
        self.about = About(f"semantic-{labels}", version=1, record=Confused)

    def ids(self, opened: Opened[LabelFolder], truth: PanopticTruth) -> Sequence[str]:
        """Every sample that is scored."""
        return opened.ids

    def run(self, submission: LabelFolder, truth: PanopticTruth, ids: Sequence[str]) -> list[Confused]:
        """The evidence of the samples `ids`; faults are in the records, nothing is raised."""
        return [_confused(submission, truth, id) for id in ids]

    def fingerprint(self, submission: LabelFolder, truth: PanopticTruth, id: str) -> tuple[str, str]:
        """Digests of the predicted and the true PNG as they are now; ("", "") when one cannot be read."""
        try:
            true = png.read_file(truth.folder / truth.annotations[id].file_name, _MOST_BYTES, links=True)
            return digest_of(png.read_file(submission.folder / f"{id}.png", _MOST_BYTES)), digest_of(true)
        except png.PngFault:
            return "", ""


def _confused(submission: LabelFolder, truth: PanopticTruth, id: str) -> Confused:
    problems = Problems()
    digests = {"digest": "", "reference_digest": ""}
    cells: tuple[Cell, ...] = ()
    true = _true_map(truth, id, submission.labelling, problems)
    if true is not None:
        labels, digests["reference_digest"] = true
        found = _predicted_map(submission, labels, id, problems)
        if found is not None:
            predicted, digests["digest"] = found
            cells = confusion(labels, predicted, len(submission.labelling.classes), IGNORE)
    return Confused(id=id, cells=cells, problems=tuple(problems), **digests)


def _true_map(
    truth: PanopticTruth, id: str, labelling: Labelling, problems: Problems
) -> tuple[NDArray[np.int32], str] | None:
    """The true labels and the digest of their PNG."""
    annotation = truth.annotations[id]
    image = truth.images.get(annotation.image_id)
    try:
        data = png.read_file(truth.folder / annotation.file_name, _MOST_BYTES, links=True)
        header = png.inspect(data)
        if (header.colour, header.depth) != ("RGB", 8):
            kind = f"is {header.colour} with {header.depth} bits, not RGB with 8 bits"
            raise png.PngFault("FORMAT", kind, "Get the official file again.")
        png.expect(header, (image.height, image.width) if image and image.height and image.width else None)
        ids = ids_from_rgb(png.decode(data))
    except png.PngFault as fault:
        file = f"{truth.folder.name}/{annotation.file_name}"
        problems.add(f"REF_PNG_{fault.fault}", str(fault), file=file, item=id, fix=fault.fix)
        return None
    return true_labels(ids, annotation.segments_info, labelling.label_of), digest_of(data)


def _predicted_map(
    submission: LabelFolder, truth: NDArray[np.int32], id: str, problems: Problems
) -> tuple[NDArray[np.int32], str] | None:
    """The predicted labels, all of them classes or 255, and the digest of their PNG."""
    file, classes = f"{submission.folder.name}/{id}.png", len(submission.labelling.classes)
    size = (truth.shape[0], truth.shape[1])
    try:
        data = png.read_file(submission.folder / f"{id}.png", truth.size * 4 + (1 << 20))
        labels = read_labels(data, size)
    except png.PngFault as fault:
        code = "SUB_PATH" if fault.fault == "PATH" else f"SUB_PNG_{fault.fault}"
        problems.add(code, str(fault), file=file, item=id, fix=fault.fix)
        return None
    if stray := strays(labels, classes):
        message = f"labels are 0 … {classes - 1} or {IGNORE}; the map also has {listed(stray)}"
        fix = "Write the position of the category in the list of categories, not its id."
        problems.add("SUB_LABEL_RANGE", message, file=file, item=id, value=listed(stray), fix=fix)
        return None
    unclaimed = int(((labels == IGNORE) & (truth != IGNORE)).sum())
    if unclaimed:
        share = "all" if unclaimed == int((truth != IGNORE).sum()) else f"{unclaimed:,}"
        message = f"{share} pixels that have a true label are {IGNORE}: detectron2 leaves them out, wrong or not"
        problems.add("SUB_LABEL_VOID", message, file=file, item=id, value=unclaimed, fix="Label every pixel.")
    return labels, digest_of(data)
