"""Large annotation files, read once and cut into pieces without copying: nothing is decoded before it is looked at."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vismark.formats import strict_json
from vismark.formats.findings import Report
from vismark.formats.strict_json import count_key_tokens, count_keys
from vismark.problems import Problems

# The largest official file, instances_train2017, has 450 MB; train and stuff of larger sets stay below this.
FILE_LIMIT = 4 << 30

# ValueError: text that is no UTF-8, and integers of more than 4,300 digits.
DECODE_FAULTS = (msgspec.DecodeError, ValueError, RecursionError)


@dataclass(frozen=True)
class Document:
    """The top level of a JSON object: key → undecoded value, each a view into `data`."""

    data: bytes
    values: dict[str, msgspec.Raw]
    report: Report

    def array(self, name: str, *, required: bool = True) -> list[msgspec.Raw] | None:
        """The undecoded entries of the list `name`; None when it is absent or no list (an error if `required`)."""
        raw = self.values.get(name)
        if raw is None:
            if required:
                self.report.error("MISSING_FIELD", f"`{name}` is missing", f"Add the list `{name}`.")
            return None
        try:
            return msgspec.json.decode(raw, type=list[msgspec.Raw])
        except msgspec.ValidationError:
            fix = f"Write `{name}` as a list of objects."
            self.report.error("JSON_TOP_LEVEL", f"`{name}` is no list", fix, where=f"/{name}")
            return None

    def offset(self, raw: msgspec.Raw) -> int:
        """Where a piece of the document begins, in bytes."""
        return _address(raw) - _address(self.data)

    def value(self, name: str) -> Any | None:
        """The decoded value of a key that is no large list, checked as strictly as `strict_json.parse` does."""
        raw = self.values.get(name)
        return None if raw is None else decode_strictly(raw, self, f"/{name}")


def read_document(path: Path, problems: Problems, *, file: str = "") -> Document | None:
    """Read a JSON object and cut it at its top level.

    Args:
        file: its name in findings; by default the name of the file.

    Returns:
        The document, or None with errors in `problems` (unreadable, no JSON with its byte offset, no object).
    """
    report = Report(problems, file or path.name)
    data = strict_json.read_bytes(path, problems, file=report.file, limit=FILE_LIMIT)
    return None if data is None else open_document(data, report)


def open_document(data: bytes, report: Report) -> Document | None:
    """Cut JSON text at its top level; None with an error when it is no JSON object."""
    try:
        values = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        message = "the top level is no object"
        fix = 'An annotation file is an object: {"images": […], "annotations": […], "categories": […]}.'
        report.error("JSON_TOP_LEVEL", message, fix)
        return None
    except DECODE_FAULTS:
        _explain(data, report)
        return None
    document = Document(data, values, report)
    _check_top_level(document)
    return document


def decode_strictly(raw: msgspec.Raw | bytes, document: Document, where: str) -> Any | None:
    """The value of a piece, or None with JSON_PARSE (byte offset in the file) or JSON_DUPLICATE_KEY noted."""
    data = bytes(raw)
    try:
        data.decode()
        value = msgspec.json.decode(data)
    except DECODE_FAULTS as error:
        place = document.offset(raw) if isinstance(raw, msgspec.Raw) else 0
        found = re.search(r"\(byte (\d+)\)", str(error))
        within = int(found[1]) if found else error.start if isinstance(error, UnicodeDecodeError) else 0
        message = f"this is no JSON: {error} in {where}, byte {place + within} of the file"
        document.report.error("JSON_PARSE", message, "Write it with a JSON library.", where=f"byte {place + within}")
        return None
    if count_key_tokens(data) != count_keys(value):
        add_duplicates(data, document.report, where)
    return value


def has_duplicates(data: bytes, keys: int) -> bool:
    """Whether JSON text may repeat a key, when its objects hold at least `keys` different ones; cheapest test first.

    A colon stands behind every key, and elsewhere only in strings; a quote and a colon only where a string ends so.
    """
    if data.count(b":") == keys or count_key_tokens(data) == keys:
        return False
    return count_key_tokens(data) != count_keys(msgspec.json.decode(data))


def add_duplicates(data: bytes, report: Report, where: str) -> None:
    """Note every key that JSON text gives twice in one object."""
    found: Counter[str] = Counter()

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in pairs}) < len(pairs):
            found.update(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)

    try:
        json.loads(data, object_pairs_hook=look)
    except DECODE_FAULTS:
        report.error("JSON_DEPTH", "the JSON is nested too deeply", "Write plain lists and objects.", where=where)
    for key, count in found.items():
        message = f"the key {key!r} occurs more than once in {count} object(s)"
        fix = "Give every key once; readers disagree about which one counts."
        report.error("JSON_DUPLICATE_KEY", message, fix, where=where, value=key)


def _explain(data: bytes, report: Report) -> None:
    """Why text is no JSON, in the words of `strict_json`; what it accepts is a fault of the skipping parser's own."""
    before = report.problems.errors
    strict_json.parse(data, report.problems, file=report.file, most=len(data) + 1)
    if report.problems.errors == before:
        report.error("JSON_PARSE", "this is no JSON", "Write it with a JSON library.")


def _check_top_level(document: Document) -> None:
    """Refuse a repeated key: between the values that were kept, nothing but keys and punctuation may be left."""
    skeleton, end = [], 0
    for start, raw in sorted((document.offset(raw), raw) for raw in document.values.values()):
        skeleton += [document.data[end:start], b"0"]
        end = start + len(memoryview(raw))
    text = b"".join(b"".join([*skeleton, document.data[end:]]).split())
    if text.count(b":") != len(document.values):
        add_duplicates(text, document.report, "")


def _address(data: msgspec.Raw | bytes) -> int:
    address: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return address
