"""The entries of a large JSON array, a batch at a time: columns are checked at once, faulty entries one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import GenericAlias
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from vismark.formats.document import DECODE_FAULTS, Document, decode_strictly, has_duplicates
from vismark.formats.findings import Report
from vismark.formats.panoptic_entries import kind
from vismark.problems import Severity
from vismark.runtime.progress import Bar

# Entries decoded at once: enough that Python's share of the time is small, few enough that memory is.
BATCH = 4096

# Larger integers differ between readers of JSON.
LARGEST = 2**53

Record = TypeVar("Record", bound=msgspec.Struct)


@dataclass(frozen=True)
class Column:
    """A field of every entry of a batch: values, and which of them can be used (the others hold 0)."""

    values: NDArray[Any]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Batch(Generic[Record]):
    """Some entries of the array at `pointer`, decoded.

    Attributes:
        numbers: their positions in the array, in order.
        records: the entries themselves; fields that are absent are UNSET, types are not checked yet.
        owners: the image id that each entry's findings are filed under.
    """

    report: Report
    pointer: str
    numbers: Sequence[int]
    records: Sequence[Record]
    owners: Sequence[object]

    def where(self, index: int, field: str = "") -> str:
        """The JSON pointer of an entry or of one of its fields."""
        return f"{self.pointer}/{self.numbers[index]}" + (f"/{field}" if field else "")

    def error(self, index: int, code: str, message: str, fix: str, *, field: str = "", value: Any = "") -> None:
        """Write down an error of an entry."""
        where = self.where(index, field)
        self.report.error(code, message, fix, where=where, item=self.owners[index], value=value)

    def warn(self, index: int, code: str, message: str, fix: str, *, field: str = "", value: Any = "") -> None:
        """Write down a warning about an entry."""
        where = self.where(index, field)
        self.report.warn(code, message, fix, where=where, item=self.owners[index], value=value)

    def column(self, field: str) -> list[Any]:
        """The raw values of a field."""
        return list(map(attrgetter(field), self.records))

    def integers(self, field: str, *, required: bool = True, code: str = "FIELD_TYPE") -> Column:
        """A field of integers as int64; integral decimal numbers are taken, with a warning."""
        values = self.column(field)
        if set(map(type, values)) == {int} and min(values) > -LARGEST and max(values) < LARGEST:
            return Column(np.fromiter(values, np.int64, len(values)), np.ones(len(values), bool))
        found = [self._integer(index, field, value, required, code) for index, value in enumerate(values)]
        known = np.array([one is not None for one in found], bool)
        return Column(np.array([one or 0 for one in found], np.int64), known)

    def reals(self, field: str, *, required: bool = True) -> Column:
        """A field of finite numbers as float64."""
        values = self.column(field)
        if set(map(type, values)) == {float}:
            return Column(np.array(values, np.float64), np.ones(len(values), bool))
        known = np.array([is_number(value) for value in values], bool)
        for index in true_at(~known):
            if required or values[index] is not UNSET:
                self.fault(index, field, values[index], "a number")
        numbers = [value if good else 0.0 for value, good in zip(values, known, strict=True)]
        return Column(np.array(numbers, np.float64), known)

    def strings(
        self, field: str, *, required: bool = True, severity: Severity = "error"
    ) -> tuple[list[str], NDArray[np.bool_]]:
        """A field of strings, and which of them are; the others are ""."""
        values = self.column(field)
        if set(map(type, values)) == {str}:
            return values, np.ones(len(values), bool)
        known = np.array([type(value) is str for value in values], bool)
        for index in true_at(~known):
            if required or values[index] is not UNSET:
                self.fault(index, field, values[index], "a string", severity=severity)
        return [value if good else "" for value, good in zip(values, known, strict=True)], known

    def fault(
        self, index: int, field: str, value: Any, wanted: str, *, code: str = "", severity: Severity = "error"
    ) -> None:
        """A field that is missing or has the wrong type."""
        where, item = self.where(index), self.owners[index]
        if value is UNSET:
            fix = f"Add `{field}`: {wanted}."
            self.report.add(code or "MISSING_FIELD", f"`{field}` is missing", fix, severity, where=where, item=item)
        else:
            message, fix = f"`{field}` is {kind(value)}, not {wanted}", f"Write {wanted}."
            where = f"{where}/{field}"
            self.report.add(code or "FIELD_TYPE", message, fix, severity, where=where, item=item, value=value)

    def _integer(self, index: int, field: str, value: Any, required: bool, code: str) -> int | None:
        if type(value) is float and value.is_integer() and abs(value) < LARGEST:
            fix = "Write it without a decimal point."
            self.warn(index, "FIELD_INTEGRAL", f"`{field}` is a decimal number", fix, field=field, value=value)
            return int(value)
        if type(value) is int and abs(value) < LARGEST:
            return value
        if required or value is not UNSET:
            wanted = "an integer" if type(value) is not int else "an integer below 2^53"
            self.fault(index, field, value, wanted, code=code if code != "FIELD_TYPE" else "")
        return None


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number that float64 holds; booleans are none."""
    return type(value) is float or (type(value) is int and abs(value) < LARGEST)


def true_at(chosen: NDArray[np.bool_]) -> list[int]:
    """The positions at which an array is true."""
    found: list[int] = np.flatnonzero(chosen).tolist()
    return found


def batches(
    document: Document,
    name: str,
    record: type[Record],
    loose: type[Record],
    *,
    owner: str = "image_id",
    title: str = "",
) -> Iterator[Batch[Record]]:
    """Decode the list `name` of a document batch by batch, with faults of syntax and repeated keys written down.

    Args:
        record: what an entry should be; every field has the default UNSET.
        loose: the same fields, each of any type, for entries that are no `record`.
        owner: the field by which findings name an image.
        title: shown with progress.
    """
    pointer, pieces = f"/{name}", document.array(name)
    decoder, one = msgspec.json.Decoder(GenericAlias(list, (record,))), msgspec.json.Decoder(record)
    with Bar(title or f"checking {document.report.file}", len(pieces or ())) as bar:
        for start in range(0, len(pieces or ()), BATCH):
            part = (pieces or [])[start : start + BATCH]
            numbers: Sequence[int] = range(start, start + len(part))
            text = b"[" + b",".join(part) + b"]"
            found = _all_at_once(text, decoder)
            if found is None:
                numbers, found = _one_by_one(document, pointer, part, start, one, loose)
            if found:
                owners = [getattr(entry, owner) for entry in found]
                shown = [entry if type(entry) in (int, str) else "" for entry in owners]
                yield Batch(document.report, pointer, numbers, found, shown)
            bar.advance(len(part))


def _all_at_once(text: bytes, decoder: msgspec.json.Decoder[list[Record]]) -> list[Record] | None:
    """The entries of a batch, or None when one of them must be looked at alone: it has another form, or a key twice."""
    try:
        if not text.isascii():
            text.decode()  # msgspec does not look at fields that it skips
        found = decoder.decode(text)
        return None if has_duplicates(text, _keys(found)) else found
    except DECODE_FAULTS:
        return None


def _one_by_one(
    document: Document,
    pointer: str,
    part: Sequence[msgspec.Raw],
    start: int,
    decoder: msgspec.json.Decoder[Record],
    loose: type[Record],
) -> tuple[list[int], list[Record]]:
    """The entries that can be read, with their numbers; the reasons why the others cannot are written down."""
    numbers, found = [], []
    for number, raw in enumerate(part, start):
        value = decode_strictly(raw, document, f"{pointer}/{number}")
        if not isinstance(value, dict):
            if value is not None or bytes(raw) == b"null":
                message, fix = f"an entry is an object, this is {kind(value)}", "Write an object."
                document.report.error("FIELD_TYPE", message, fix, where=f"{pointer}/{number}", value=value)
            continue
        try:
            entry = decoder.decode(raw)
        except msgspec.ValidationError:
            entry = msgspec.json.decode(raw, type=loose)
        numbers.append(number)
        found.append(entry)
    return numbers, found


def _keys(records: Sequence[msgspec.Struct]) -> int:
    """The number of keys in decoded entries, nested ones included; keys that have no field are not counted."""
    total = 0
    for field in records[0].__struct_fields__ if records else ():
        values = list(map(attrgetter(field), records))
        total += len(values) - values.count(UNSET)
        if any(issubclass(kind, msgspec.Struct) for kind in set(map(type, values))):
            total += _keys([value for value in values if isinstance(value, msgspec.Struct)])
    return total
