"""References of caption benchmarks: a captions JSON of COCO, Karpathy's split, or a folder of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from vismark.benchmarks.base import Source
from vismark.cards import BenchmarkCard
from vismark.datasets.coco.karpathy import Karpathy
from vismark.datasets.coconut_pancap.load import caption_files, read_caption
from vismark.formats.panoptic import ImageRecord, png_stem
from vismark.formats.png import plain_name
from vismark.formats.strict_json import read_bytes
from vismark.formats.tags import parse
from vismark.problems import Problems
from vismark.runtime.digests import digest_of, digest_of_parts
from vismark.runtime.pictures import size_of
from vismark.tasks import Picture

_LIMIT = 2 << 30


@dataclass(frozen=True)
class CaptionTruth:
    """What people wrote about each image.

    Attributes:
        captions: sample id → captions, in the order of the source.
        image_ids: sample id → the image's id in a results file.
        images: sample id → what is known of the picture, where anything is.
        pictures: the folder of the pictures, or None.
        digest: of all that was read.
    """

    captions: Mapping[str, tuple[str, ...]]
    image_ids: Mapping[str, int | str]
    images: Mapping[str, ImageRecord]
    pictures: Path | None
    digest: str

    @property
    def names(self) -> dict[int | str, str]:
        """What an entry of a results file may call an image → sample id: its id; images of Objects365 also by name."""
        return {id: id for id in self.captions if not id.isdigit()} | {one: id for id, one in self.image_ids.items()}

    @cached_property
    def commonest(self) -> str:
        """The caption that says most of what is said anyway.

        Of the captions with the median number of words, the one whose different words occur in the captions of most
        images on average; the first of several.
        """
        words = [[set(text.lower().split()) for text in texts] for texts in self.captions.values()]
        occurring = Counter(word for told in words for word in set().union(*told))
        texts = [text for told in self.captions.values() for text in told]
        lengths = sorted(len(text.split()) for text in texts)
        median = lengths[(len(lengths) - 1) // 2]
        best, chosen = -1.0, ""
        for text in texts:
            found = set(text.lower().split())
            common = sum(occurring[word] for word in found) / max(1, len(found))
            if len(text.split()) == median and common > best:
                best, chosen = common, text
        return chosen

    def picture(self, id: str) -> Picture:
        """The picture of a sample; its size is stated, else read from the file, else 0 × 0."""
        image = self.images.get(id)
        if image is None:
            return Picture(None, 0, 0)
        named = self.pictures is not None and plain_name(image.file_name)
        path = self.pictures / image.file_name if self.pictures is not None and named else None
        size = (image.height, image.width)
        if min(size) < 1:
            size = size_of(path) if path else (0, 0)
        return Picture(path, *size, image.coco_url)


class _Caption(msgspec.Struct):
    image_id: int
    caption: str


class _CaptionFile(msgspec.Struct):
    images: list[ImageRecord]
    annotations: list[_Caption]


class _Join(msgspec.Struct):
    image_id: int
    file_name: str


class _PanopticFile(msgspec.Struct):
    annotations: list[_Join]
    images: list[ImageRecord] = []


def read(card: BenchmarkCard, source: Source, problems: Problems) -> CaptionTruth | None:
    """The references of `card` at ``captions``; None with errors in `problems`.

    A folder holds a text an image, with tags (COCONut-PanCap): the plain captions count; ``panoptic`` tells the ids of
    its images. A JSON file is Karpathy's split where its images have sentences, else a captions file of COCO.
    """
    path = source.need(card, "captions")
    folder = source.path(card, "images")
    pictures = folder if folder and folder.is_dir() else None
    if path.is_dir():
        truth = _from_folder(card, path, source.path(card, "panoptic"), pictures, problems)
    else:
        truth = _from_json(card, path, pictures, problems)
    if truth is not None and not truth.captions:
        fix = f"Name the references of the split {card.split}."
        problems.add("REF_EMPTY", "there are no captions in the references", file=path.name, fix=fix)
        return None
    return truth


def _from_json(card: BenchmarkCard, path: Path, pictures: Path | None, problems: Problems) -> CaptionTruth | None:
    data = read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None:
        return None
    karpathy = card.split.startswith("karpathy")
    try:
        if karpathy:
            return _karpathy(msgspec.json.decode(data, type=Karpathy), card.split, pictures, digest_of(data))
        content = msgspec.json.decode(data, type=_CaptionFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = "Karpathy split (dataset_coco.json)" if karpathy else "captions file of COCO"
        fix = "Name the official file; `vismark validate` lists the faults of a file of your own."
        problems.add("REF_FORMAT", f"is no {kind}: {error}", file=path.name, fix=fix)
        return None
    told: dict[int, list[str]] = {image.id: [] for image in content.images}
    for one in content.annotations:
        if one.image_id not in told:
            message, fix = f"image {one.image_id} has a caption but is not in `images`", "Name the official file."
            problems.add("ANN_IMAGE_UNKNOWN", message, file=path.name, item=one.image_id, fix=fix)
        else:
            told[one.image_id].append(one.caption)
    _check_told(told, path.name, problems)
    images = {str(image.id): image for image in content.images if told[image.id]}
    return CaptionTruth(
        {id: tuple(told[image.id]) for id, image in images.items()},
        {id: image.id for id, image in images.items()},
        images,
        pictures,
        digest_of(data),
    )


def _karpathy(content: Karpathy, split: str, pictures: Path | None, digest: str) -> CaptionTruth:
    chosen_images = [one for one in content.of(split.removeprefix("karpathy-")) if one.sentences]
    return CaptionTruth(
        {str(one.cocoid): tuple(sentence.raw for sentence in one.sentences) for one in chosen_images},
        {str(one.cocoid): one.cocoid for one in chosen_images},
        {str(one.cocoid): ImageRecord(one.cocoid, one.filename) for one in chosen_images},
        pictures,
        digest,
    )


def _from_folder(
    card: BenchmarkCard, path: Path, panoptic: Path | None, pictures: Path | None, problems: Problems
) -> CaptionTruth | None:
    files = caption_files(path, next(iter(card.protocols.values())))
    texts = {id: text for id, file in files.items() if (text := read_caption(file, problems)) is not None}
    joined, digest = _PanopticFile([]), ""
    if panoptic is not None and panoptic.is_file():
        data = read_bytes(panoptic, problems, file=panoptic.name, limit=_LIMIT)
        try:
            joined, digest = msgspec.json.decode(data or b"", type=_PanopticFile), digest_of(data or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message, fix = f"is no panoptic ground truth: {error}", "Name the panoptic JSON of these captions."
            problems.add("REF_FORMAT", message, file=panoptic.name, fix=fix)
            return None
    ids = {png_stem(one.file_name): one.image_id for one in joined.annotations}
    records = {image.id: image for image in joined.images}
    return CaptionTruth(
        {id: (parse(text).plain,) for id, text in texts.items()},
        {id: ids.get(id, int(id) if id.isascii() and id.isdigit() else id) for id in texts},
        {id: records[ids[id]] for id in texts if ids.get(id) in records},
        pictures,
        digest_of([digest_of_parts({id: digest_of(text.encode()) for id, text in texts.items()}), digest]),
    )


def _check_told(told: Mapping[int, Iterable[str]], file: str, problems: Problems) -> None:
    for id, captions in told.items():
        if not captions:
            message, fix = f"image {id} has no caption; it is no sample", "Add its captions, or remove it."
            problems.add("REF_CAPTION_NONE", message, severity="warning", file=file, item=id, fix=fix)
