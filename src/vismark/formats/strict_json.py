"""JSON from strangers: bounded, UTF-8, no NaN, no duplicate keys, no stack overflow; every fault with its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from vismark.problems import Problems

# Of JSON Lines; no data set here has a fifth as many images.
_MOST_LINES = 1 << 20

# Repeated keys that are named.
_MOST_KEYS = 100

_KEY = re.compile(rb'"\s*:')
_BOMS = {b"\xef\xbb\xbf": "UTF-8 with a byte order mark", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_bytes(path: Path, problems: Problems, *, file: str, limit: int) -> bytes | None:
    """The bytes of a regular file of at most `limit` bytes, or None with an error in `problems`."""
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist" if not path.exists() else "is no regular file"
            problems.add("FILE_MISSING", f"{path.name} {what}", file=file, fix="Check the path.")
            return None
        size = path.stat().st_size
        if size > limit:
            message = f"the file has {size:,} bytes; more than {limit:,} cannot be right here"
            problems.add("FILE_TOO_LARGE", message, file=file, fix="Is this the right file?")
            return None
        return path.read_bytes()
    except OSError as error:
        problems.add("FILE_UNREADABLE", f"cannot be read: {error.strerror}", file=file, fix="Check the path.")
        return None


def parse(data: bytes, problems: Problems, *, file: str, official: bool = False, most: int = 1 << 20) -> Any | None:
    """The value of JSON text, or None when it cannot be had (with at least one error in `problems`).

    Args:
        file: the name of the file in findings.
        official: parse as Python's `json` does (NaN literals, duplicate keys and all); duplicates are still reported.
        most: refuse text with more values, because each costs up to 200 bytes of memory.
    """
    if not is_utf8_text(data, problems, file):
        return None
    # A value has at least one byte.
    values = sum(data.count(mark) for mark in (b",", b"[", b"{")) if len(data) > most else 0
    if values > most:
        message = f"the file holds up to {values:,} values; more than {most:,} cannot be right here"
        problems.add("FILE_TOO_LARGE", message, file=file, fix="Is this the right file?")
        return None
    try:
        value = json.loads(data) if official else msgspec.json.decode(data)
    except RecursionError:
        add_depth_fault(problems, file)
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        add_parse_fault(data, error, problems, file)
        return None
    if count_key_tokens(data) != count_keys(value):
        # More key-like tokens than keys: text that looks like a key, or a key given twice. Look closely.
        add_duplicates(data, problems, file)
    return value


def parse_lines(
    data: bytes, problems: Problems, *, file: str, official: bool = False, most: int = 1 << 16
) -> list[tuple[str, Any]]:
    """(place, value) of every line of JSON Lines that is not blank and is JSON; see `parse`.

    Args:
        most: refuse a line with more values.
    """
    found: list[tuple[str, Any]] = []
    if data.count(b"\n") > _MOST_LINES:
        message = f"the file holds more than {_MOST_LINES:,} lines, which cannot be right here"
        problems.add("FILE_TOO_LARGE", message, file=file, fix="Is this the right file?")
        return found
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        own = Problems(problems.demote)
        value = parse(line, own, file=file, official=official, most=most)
        for problem in own:
            where = f"line {number}" + (f", {problem.where}" if problem.where else "")
            problems.append(msgspec.structs.replace(problem, where=where))
        if value is not None or not own.errors:
            found.append((f"line {number}", value))
    return found


def is_utf8_text(data: bytes, problems: Problems, file: str) -> bool:
    """Whether `data` begins like plain UTF-8; compressed files and other encodings are reported."""
    if data[:2] == b"\x1f\x8b":
        problems.add("JSON_ENCODING", "the file is compressed with gzip", file=file, fix="Unpack it with gunzip.")
        return False
    for mark, name in _BOMS.items():
        if data.startswith(mark):
            problems.add("JSON_ENCODING", f"the file is {name}", file=file, fix="Save it as UTF-8 without a mark.")
            return False
    if b"\x00" in data[:4]:
        problems.add("JSON_ENCODING", "the file is no UTF-8 text", file=file, fix="Save it as UTF-8.")
        return False
    return True


def add_parse_fault(data: bytes, error: Exception, problems: Problems, file: str) -> None:
    """Report text that is no JSON, with the place where the parser stopped."""
    problems.add("JSON_PARSE", _reason(data, error), file=file, where=_offset(error), fix=_remedy(data, error))


def add_depth_fault(problems: Problems, file: str) -> None:
    """Report JSON that is nested more deeply than a parser can follow."""
    problems.add("JSON_DEPTH", "the JSON is nested too deeply", file=file, fix="Write plain lists and objects.")


def _reason(data: bytes, error: Exception) -> str:
    if not data.strip():
        return "the file is empty"
    return f"this is no JSON: {error}"


def _offset(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}"
    found = re.search(r"\(byte (\d+)\)", str(error)) or re.search(r"\(char (\d+)\)", str(error))
    return f"byte {found[1]}" if found else ""


def _remedy(data: bytes, error: Exception) -> str:
    found = re.search(r"\(byte (\d+)\)", str(error))
    if (found and data[int(found[1]) :].lstrip(b"-").startswith((b"NaN", b"Infinity"))) or b"NaN" in data[-2000:]:
        return "NaN and Infinity are no JSON; write finite numbers (json.dump(…, allow_nan=False) shows where)."
    return "Write it with a JSON library, and wait until the file is closed."


def count_keys(value: Any) -> int:
    """How many keys the objects in a JSON value have together."""
    total, stack = 0, [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            total += len(one)
            stack.extend(v for v in one.values() if isinstance(v, dict | list))
        elif isinstance(one, list):
            stack.extend(v for v in one if isinstance(v, dict | list))
    return total


def count_key_tokens(data: bytes) -> int:
    """How many pieces of JSON text look like a key: no fewer than there are keys, duplicates counted."""
    if any(data.count(mark) for mark in (b'" ', b'"\t', b'"\n', b'"\r')):
        return len(_KEY.findall(data))
    return data.count(b'":')


def add_duplicates(data: bytes, problems: Problems, file: str) -> None:
    """Report every key that is given twice in the same object."""
    found: Counter[str] = Counter()

    def look(pairs: list[tuple[str, Any]]) -> None:
        once: set[str] = set()
        for key, _ in pairs:
            if key in once:
                found[key] += 1
            once.add(key)

    try:
        json.loads(data, object_pairs_hook=look)
    except RecursionError:
        add_depth_fault(problems, file)
    for key, count in found.most_common(_MOST_KEYS):
        message = f"the key {key!r} is given again in the same object, {count} time(s)"
        fix = "Give every key once; readers disagree about which one counts."
        problems.add("JSON_DUPLICATE_KEY", message, file=file, value=key, fix=fix)
