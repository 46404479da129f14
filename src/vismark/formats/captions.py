"""Captions of COCO: the record of an annotation, its checks, and what is odd in any caption."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from vismark.formats.coco_tables import ImageTable, check_unique
from vismark.formats.document import Document
from vismark.formats.instances import check_ids, check_references
from vismark.formats.records import Batch, batches, true_at

# What some reader takes for the end of a line: the official tokeniser is fed line by line.
_LINE_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# What the official wrapper leaves in and the official tokeniser ends a line at.
SHIFTING = re.compile("[\r\v\f\u2028\u2029]")
_TEXT = re.compile(r"[\w .,;:'\"!?()/&\-]*", re.ASCII)


class _Caption(msgspec.Struct, gc=False):
    id: Any = UNSET
    image_id: Any = UNSET
    caption: Any = UNSET


def check_captions(document: Document, images: ImageTable) -> int:
    """Check `annotations` of a captions file; the number of captions that could be read."""
    ids, places, total = [], [], 0
    for batch in batches(document, "annotations", _Caption, _Caption):
        id = batch.integers("id")
        check_ids(batch, id)
        check_references(batch, images, None)
        ids.append(id.values[id.known])
        places.append(np.array(batch.numbers, np.int64)[id.known])
        total += len(batch.records)
        texts, known = batch.strings("caption")
        for index in true_at(known):
            if _TEXT.fullmatch(texts[index]) is None or not texts[index].strip():
                check_caption(batch, index, texts[index], field="caption")
    if ids:
        where, numbers = "/annotations", np.concatenate(places)
        check_unique(document.report, "ANN_ID_DUP", "annotation", where, np.concatenate(ids), numbers)
    return total


def check_caption(batch: Batch[Any], index: int, text: str, *, field: str) -> None:
    """A caption is not empty, one line, and free of control characters (line breaks within are a warning)."""
    if not text.strip():
        batch.error(index, "CAPTION_EMPTY", "the caption is empty", "Write one, or remove the entry.", field=field)
    for code, message, fix in oddities(text):
        batch.warn(index, code, message, fix, field=field, value=text)


def oddities(text: str) -> Iterator[tuple[str, str, str]]:
    """(code, message, fix) of what tokenisers may stumble over: line breaks and invisible characters."""
    if _TEXT.fullmatch(text):
        return
    breaks = _LINE_BREAKS.search(text.strip(" \n"))
    if breaks:
        message = f"the caption holds the line break U+{ord(breaks[0]):04X}"
        yield "CAPTION_LINE_BREAK_CHAR", message, "Write a blank instead; the official tokeniser works line by line."
    control = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf") and not _LINE_BREAKS.match(c)), None)
    if control is not None:
        message = f"the caption holds the invisible character U+{ord(control):04X}"
        yield "CAPTION_CONTROL_CHAR", message, "Remove it."


def shifts(text: str) -> bool:
    """Whether the official wrapper would read more than one line, so that all later captions move to other images."""
    return SHIFTING.search(text) is not None
