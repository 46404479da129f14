"""Controls: predictors that bound every benchmark from both sides. Only they may see the truth.

``oracle`` answers the truth degraded by a stated, seeded amount; ``blank`` claims nothing; ``majority`` gives the one
answer that needs no image. A benchmark on which a model does not beat ``majority`` measured nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import msgspec

from vismark.benchmarks.base import Benchmark
from vismark.benchmarks.control_texts import without_words
from vismark.formats.detection_write import decode_mask, encode_mask
from vismark.problems import Usage
from vismark.tasks import (
    ClassToImage,
    Detect,
    Detections,
    GroundedCaption,
    GroundedText,
    Image,
    ImageToText,
    LabelMap,
    Panoptic,
    PanopticSegment,
    Reconstruct,
    Request,
    Segment,
    SemanticSegment,
    Span,
    Text,
    TextToImage,
    Tracks,
    VideoSegment,
    VideoToText,
)


class OracleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` of damage in 0 … 1: the share of segments that are dropped, and of those that get another category.

    Where an answer as a whole is right or wrong, it is the share of wrong answers.
    """

    amount: float = 0.1


class NoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to set."""


class Control:
    """A predictor over a benchmark's own truth."""

    def __init__(self, name: str, benchmark: Benchmark, settings: Any, answer: Callable[[Any], Any]) -> None:
        self.name = name
        self.tasks: tuple[type[Request], ...] = (Request,)  # whatever the benchmark asks
        self.settings = settings
        self.answer = answer

    def predict(self, requests: Sequence[Request]) -> list[Any]:
        """One answer a request, from (seed, id) alone."""
        return [self.answer(request) for request in requests]

    def describe(self) -> dict[str, Any]:
        """The settings, for the record."""
        return msgspec.structs.asdict(self.settings)


def control(name: str, benchmark: Benchmark, references: Any, settings: dict[str, Any]) -> Control:
    """The control called `name` (``oracle``, ``blank`` or ``majority``).

    Raises:
        Usage: a setting is unknown or out of range.
    """
    chosen: Any = convert(settings, OracleSettings if name == "oracle" else NoSettings, name)
    if name == "blank":
        return Control(name, benchmark, chosen, blank)
    if name == "majority":
        return Control(name, benchmark, chosen, lambda request: benchmark.majority(references, request))
    if not 0 <= chosen.amount <= 1:
        raise Usage(f"oracle: amount is {chosen.amount}; it is a share in 0 … 1.")
    return Control(name, benchmark, chosen, lambda request: _oracle(benchmark, references, request, chosen.amount))


def _oracle(benchmark: Benchmark, references: Any, request: Any, amount: float) -> Any:
    """The truth damaged by `amount`; where answers are right or wrong, a wrong one with that probability."""
    if not hasattr(benchmark, "wrong"):
        return degrade(benchmark.answer(references, request), request, amount)
    import numpy as np

    wrong = np.random.default_rng(request.seed).random() < amount
    return benchmark.wrong(references, request) if wrong else benchmark.answer(references, request)


NAMES = ("blank", "majority", "oracle")


def convert(settings: dict[str, Any], kind: type[Any], who: str) -> Any:
    """`settings` as a typed struct.

    Raises:
        Usage: a name is unknown or a value has the wrong type; the message lists the settings there are.
    """
    try:
        return msgspec.convert(settings, kind, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__) or "none"
        raise Usage(f"{who}: {error}. Settings of {who}: {known}.") from error


@singledispatch
def blank(request: Request) -> Any:
    """The answer that claims nothing."""
    raise TypeError(f"no blank answer for {type(request).__name__}")


@blank.register
def _(request: PanopticSegment) -> Panoptic:
    import numpy as np

    return Panoptic(np.zeros((request.image.height, request.image.width), dtype=np.uint32), ())


@blank.register
def _(request: SemanticSegment) -> LabelMap:
    """The first category everywhere: a label map has to claim every pixel."""
    import numpy as np

    return LabelMap(np.zeros((request.image.height, request.image.width), dtype=np.int32))


@blank.register
def _(request: Detect) -> Detections:
    """One pixel in a corner with score 0: a results file has to hold something."""
    import numpy as np

    mask = np.zeros((request.image.height, request.image.width), np.bool_)
    mask[0, 0] = True
    box, score = np.array([[0, 0, 1, 1]], np.float32), np.zeros(1, np.float32)
    return Detections(box, score, np.array([request.categories[0].id]), (encode_mask(mask),))


# Height and width of a picture whose request leaves them open.
_OPEN_SIZE = (256, 256)


@blank.register
def _(request: ClassToImage | TextToImage) -> Image:
    return _grey(request.size or _OPEN_SIZE)


@blank.register
def _(request: Reconstruct) -> Image:
    return _grey((request.image.height, request.image.width))


def _grey(size: tuple[int, int]) -> Image:
    import numpy as np

    return Image(np.full((*size, 3), 128, np.uint8))


@blank.register
def _(request: ImageToText) -> Text:
    """Nothing said."""
    return Text("")


@blank.register
def _(request: GroundedCaption) -> GroundedText:
    """Nothing said, nothing claimed."""
    import numpy as np

    return GroundedText("", (), Panoptic(np.zeros((request.image.height, request.image.width), dtype=np.uint32), ()))


@blank.register
def _(request: VideoSegment) -> Tracks:
    """No object."""
    return Tracks(())


@blank.register
def _(request: VideoToText) -> Text:
    """What is true of every video: a submission has to say something."""
    return Text("A video.")


@singledispatch
def degrade(answer: Any, request: Any, amount: float) -> Any:
    """`answer` damaged by `amount`, from the request's seed."""
    raise TypeError(f"no damage is defined for {type(answer).__name__}")


@degrade.register
def _(answer: Panoptic, request: PanopticSegment, amount: float) -> Panoptic:
    """Each segment is dropped or renamed with probability `amount`, and shifted by up to 10·amount % of the image."""
    import numpy as np

    random = np.random.default_rng(request.seed)
    height, width = answer.ids.shape
    reach = np.array([height, width]) * amount / 10
    ids, segments = np.zeros_like(answer.ids), []
    taken = {segment.category for segment in answer.segments}
    for segment in answer.segments:
        dropped, renamed = random.random(2) < amount
        down, right = np.rint(random.uniform(-reach, reach)).astype(int)
        # A stuff category has one segment in an image, so a new name is a thing's or one that is free.
        free = [c.id for c in request.categories if c.isthing or c.id not in taken]
        category = int(random.choice(free)) if renamed else segment.category
        if dropped:
            continue
        taken.add(category)
        ids[_shifted(answer.ids == segment.id, int(down), int(right))] = segment.id
        segments.append(Segment(segment.id, category))
    visible = set(np.unique(ids).tolist())
    return Panoptic(ids, tuple(s for s in segments if s.id in visible))


@degrade.register
def _(answer: LabelMap, request: SemanticSegment, amount: float) -> LabelMap:
    """Each class is renamed with probability `amount`, and its region shifted by up to 10·amount % of the image."""
    import numpy as np

    random = np.random.default_rng(request.seed)
    reach = np.array(answer.labels.shape) * amount / 10
    present = [label for label in np.unique(answer.labels).tolist() if label < len(request.categories)]
    names = {label: int(random.integers(len(request.categories))) for label in present if random.random() < amount}
    # Renamed in place first, so that shifting leaves no pixel without a label.
    labels = answer.labels.copy()
    for label in present:
        labels[answer.labels == label] = names.get(label, label)
    for label in present:
        down, right = np.rint(random.uniform(-reach, reach)).astype(int)
        moved = _shifted(answer.labels == label, int(down), int(right))
        labels[moved & (labels < len(request.categories))] = names.get(label, label)
    return LabelMap(labels)


@degrade.register
def _(answer: Detections, request: Detect, amount: float) -> Detections:
    """Each object is dropped or renamed with probability `amount`, and shifted by up to 10·amount % of the image."""
    import numpy as np

    random = np.random.default_rng(request.seed)
    height, width = request.image.height, request.image.width
    reach = np.array([height, width]) * amount / 10
    names = np.array([category.id for category in request.categories])
    kept, boxes, masks = [], answer.boxes.copy(), list(answer.masks or ())
    categories = answer.categories.copy()
    for row in range(len(boxes)):
        dropped, renamed = random.random(2) < amount
        down, right = np.rint(random.uniform(-reach, reach)).astype(int).tolist()
        other = random.choice(names)
        boxes[row] += np.array([right, down, right, down])
        if masks:
            masks[row] = encode_mask(_shifted(decode_mask(masks[row]), down, right))
        categories[row] = other if renamed else categories[row]
        kept += [] if dropped else [row]
    scores = random.uniform(1 - amount, 1, len(boxes)).astype(np.float32)
    chosen = tuple(masks[row] for row in kept) if answer.masks is not None else None
    return Detections(boxes[kept], scores[kept], categories[kept], chosen)


@degrade.register
def _(answer: Image, request: Request, amount: float) -> Image:
    """The picture mixed with uniform noise: `amount` is the share of the noise."""
    import numpy as np

    noise = np.random.default_rng(request.seed).integers(0, 256, answer.pixels.shape)
    return Image(np.rint((1 - amount) * answer.pixels + amount * noise).astype(np.uint8))


@degrade.register
def _(answer: Text, request: ImageToText | VideoToText, amount: float) -> Text:
    """Each word is left out with probability `amount`."""
    text, _ = without_words(answer.text, (), request.seed, amount)
    return Text(text)


@degrade.register
def _(answer: GroundedText, request: GroundedCaption, amount: float) -> GroundedText:
    """The map as any map, and each word left out with probability `amount`; phrases keep what they still name."""
    panoptic = degrade(answer.panoptic, request, amount)
    left = {segment.id for segment in panoptic.segments}
    text, spans = without_words(answer.text, answer.spans, request.seed, amount)
    named = [(span, tuple(id for id in span.segments if id in left)) for span in spans]
    return GroundedText(text, tuple(Span(span.start, span.stop, ids) for span, ids in named if ids), panoptic)


@degrade.register
def _(answer: Tracks, request: VideoSegment, amount: float) -> Tracks:
    """Each object is dropped with probability `amount`, and shifted by up to 10·amount % of the frame in all frames."""
    import numpy as np

    random = np.random.default_rng(request.seed)
    reach = np.array([request.video.height, request.video.width]) * amount / 10
    kept = []
    for track in answer.masks:
        dropped = random.random() < amount
        down, right = np.rint(random.uniform(-reach, reach)).astype(int).tolist()
        if not dropped:
            kept.append(tuple(encode_mask(_shifted(decode_mask(mask), down, right)) for mask in track))
    return Tracks(tuple(kept))


def _shifted(mask: Any, down: int, right: int) -> Any:
    """`mask` moved; what leaves the image is lost."""
    import numpy as np

    height, width = mask.shape
    moved = np.zeros_like(mask)
    rows, columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
    from_rows, from_columns = slice(max(-down, 0), height - max(down, 0)), slice(max(-right, 0), width - max(right, 0))
    moved[rows, columns] = mask[from_rows, from_columns]
    return moved
