"""The Karpathy split of COCO captions (`dataset_coco.json`): which image is for training, validation or test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from vismark.formats.captions import check_caption
from vismark.formats.coco_tables import check_unique
from vismark.formats.document import Document, read_document
from vismark.formats.panoptic_entries import kind
from vismark.formats.png import plain_name
from vismark.formats.records import Batch, batches
from vismark.problems import Problems, Refused

# Images of each split; training by convention means train and restval, 113,287 images.
COUNTS = {"train": 82_783, "restval": 30_504, "val": 5_000, "test": 5_000}
_FOLDERS = ("train2014", "val2014")


class Sentence(msgspec.Struct, frozen=True):
    """A caption: `raw` is what official scoring reads, `tokens` are lower-cased words without punctuation."""

    raw: str
    tokens: tuple[str, ...]
    imgid: int
    sentid: int


class KarpathyImage(msgspec.Struct, frozen=True):
    """An image: COCO's id and file, its split (`train`, `restval`, `val`, `test`) and its captions."""

    filepath: str
    filename: str
    cocoid: int
    imgid: int
    split: str
    sentences: tuple[Sentence, ...]


class Karpathy(msgspec.Struct, frozen=True):
    """The whole split: `dataset` is "coco"."""

    dataset: str
    images: tuple[KarpathyImage, ...]

    def of(self, *splits: str) -> list[KarpathyImage]:
        """The images of some splits, in the order of the file."""
        return [one for one in self.images if one.split in splits]

    def ids(self, *splits: str) -> list[int]:
        """COCO image ids of some splits, in the order of the file."""
        return [one.cocoid for one in self.of(*splits)]

    def captions(self, *splits: str) -> dict[int, list[str]]:
        """COCO image id → raw sentences, as official scoring takes them."""
        return {one.cocoid: [sentence.raw for sentence in one.sentences] for one in self.of(*splits)}


class _Entry(msgspec.Struct, gc=False):
    filepath: Any = UNSET
    filename: Any = UNSET
    cocoid: Any = UNSET
    imgid: Any = UNSET
    split: Any = UNSET
    sentids: Any = UNSET
    sentences: Any = UNSET


def load_karpathy(path: Path) -> Karpathy:
    """Read `dataset_coco.json`.

    Raises:
        Refused: it is no such file; `vismark validate` says more.
    """
    problems = Problems()
    document = read_document(path, problems)
    if document is not None:
        try:
            return msgspec.json.decode(document.data, type=Karpathy)
        except (msgspec.DecodeError, ValueError) as error:
            fix = "`vismark validate` lists every fault."
            problems.add("REF_FORMAT", f"is no Karpathy split: {error}", file=path.name, fix=fix)
    raise Refused(problems)


def check_karpathy(document: Document) -> None:
    """Check a Karpathy split: fields, ids, captions, and the number of images of each split."""
    splits: Counter[str] = Counter()
    ids: dict[str, list[int]] = {"cocoid": [], "imgid": []}
    places: list[int] = []
    sentences: list[tuple[int, int]] = []
    for batch in batches(document, "images", _Entry, _Entry, owner="cocoid"):
        columns = {name: batch.integers(name) for name in ids}
        sound = columns["cocoid"].known & columns["imgid"].known
        for name, column in columns.items():
            ids[name] += column.values[sound].tolist()
        places += np.array(batch.numbers)[sound].tolist()
        splits.update(_check_names(batch))
        for index, listed in enumerate(batch.column("sentences")):
            sentences += _check_sentences(batch, index, listed)
    for name, found in ids.items():
        code = "IMAGE_ID_DUP"
        check_unique(document.report, code, name, "/images", np.array(found, np.int64), np.array(places, np.int64))
    numbers = np.array(sentences, np.int64).reshape(-1, 2).T
    check_unique(document.report, "ANN_ID_DUP", "sentence", "/images", *numbers)
    _check_counts(document, splits)


def _check_names(batch: Batch[_Entry]) -> list[str]:
    """Check `filepath`, `filename` and `split`; the splits that are known ones."""
    folders, _ = batch.strings("filepath")
    names, _ = batch.strings("filename")
    splits, _ = batch.strings("split")
    for index, (folder, name, split) in enumerate(zip(folders, names, splits, strict=True)):
        if folder and folder not in _FOLDERS:
            fix = "Write train2014 or val2014."
            batch.error(
                index, "KARPATHY_FOLDER", "the folder is none of COCO 2014", fix, field="filepath", value=folder
            )
        if name and not plain_name(name):
            fix = "Write COCO_val2014_000000000042.jpg or the like."
            batch.error(index, "IMAGE_PATH", "the file name is no plain name", fix, field="filename", value=name)
        if split and split not in COUNTS:
            fix = f"Write one of {', '.join(COUNTS)}."
            batch.error(index, "KARPATHY_SPLIT", "the split is unknown", fix, field="split", value=split)
    return [split for split in splits if split in COUNTS]


def _check_sentences(batch: Batch[_Entry], index: int, listed: Any) -> list[tuple[int, int]]:
    """Check the captions of an image; (sentid, position of the image) of those that have one."""
    if not isinstance(listed, list):
        batch.fault(index, "sentences", listed, "a list")
        return []
    if not listed:
        batch.error(index, "CAPTION_EMPTY", "the image has no caption", "Remove it, or add its captions.")
    found = []
    for number, one in enumerate(listed):
        at = f"sentences/{number}"
        raw, sentid = (one.get("raw", UNSET), one.get("sentid", UNSET)) if isinstance(one, dict) else (UNSET, UNSET)
        if not isinstance(raw, str):
            batch.fault(index, f"{at}/raw", raw, "a string")
        else:
            check_caption(batch, index, raw, field=f"{at}/raw")
        if type(sentid) is not int or not abs(sentid) < 2**53:
            batch.fault(index, f"{at}/sentid", sentid, "an integer")
        else:
            found.append((sentid, batch.numbers[index]))
    stated = batch.records[index].sentids
    if not isinstance(stated, list):
        batch.fault(index, "sentids", stated, "a list of integers")
    elif len(found) == len(listed) and stated != [sentid for sentid, _ in found]:
        message = f"`sentids` does not list the ids of the sentences ({kind(stated)} of {len(stated)})"
        batch.error(index, "KARPATHY_SENTIDS", message, "List the sentid of every sentence.", field="sentids")
    return found


def _check_counts(document: Document, splits: Counter[str]) -> None:
    if document.value("dataset") != "coco":
        message, fix = '`dataset` is not "coco"', "Name the file of COCO; Flickr8k and Flickr30k have others."
        document.report.warn("KARPATHY_DATASET", message, fix, where="/dataset")
        return
    for split, wanted in COUNTS.items():
        if splits[split] != wanted:
            message = f"the split {split} has {wanted:,} images, the file has {splits[split]:,}"
            fix = "Is it a part of the split?"
            document.report.warn("COUNT_UNEXPECTED", message, fix, where="/images", value=splits[split])
