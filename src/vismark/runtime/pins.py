"""Pins: digests of files whose source states none, taken on first use and held to from then on.

They are lines of one file that only grows, one pin a line: a hub folder may bring a hundred thousand of them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from vismark.problems import refuse
from vismark.runtime.folders import cache_root
from vismark.runtime.locks import held


class Pin(msgspec.Struct, frozen=True):
    """What a file was when it was first fetched: its size and ``sha256:…``."""

    bytes: int
    digest: str


class _Line(msgspec.Struct, frozen=True):
    url: str
    bytes: int
    digest: str


class _Read(msgspec.Struct):
    """What this process has read of a file of pins, and how far."""

    pins: dict[str, Pin] = {}
    end: int = 0


_READ: dict[Path, _Read] = {}


def pinned(url: str) -> Pin | None:
    """The pin of an address, or None.

    Raises:
        vismark.problems.Refused: the file of pins is broken.
    """
    return _pins(_home()).get(url)


def pin(url: str, made: Pin) -> Pin:
    """Pin an address unless it is pinned already, by another process perhaps; returns what is pinned now."""
    home = _home()
    with held(home):
        pins = _pins(home)
        if url not in pins:
            line = msgspec.json.encode(_Line(url, made.bytes, made.digest))
            with home.open("ab") as file:
                file.truncate(_READ[home].end)  # cuts off what a kill left half written
                file.write(line + b"\n")
            pins = _pins(home)
        return pins[url]


def _home() -> Path:
    return cache_root() / "pins.jsonl"


def _pins(home: Path) -> dict[str, Pin]:
    """All pins; only what was added since the last look is read."""
    known = _READ.setdefault(home, _Read())
    size = home.stat().st_size if home.exists() else 0
    if size < known.end:
        known = _READ[home] = _Read()
    start = known.end
    if size > start:
        with home.open("rb") as file:
            file.seek(start)
            whole, end, _ = file.read().rpartition(b"\n")
        for line in whole.splitlines():
            one = _line(line, home)
            known.pins.setdefault(one.url, Pin(one.bytes, one.digest))
        known.end = start + len(whole) + len(end)
    return known.pins


def _line(line: bytes, home: Path) -> _Line:
    try:
        return msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, ValueError) as error:
        raise refuse(
            "PINS_BROKEN",
            f"the record of files without an official digest cannot be read: {error}",
            file=home.name,
            value=line.decode(errors="replace"),
            fix="Take the line out, or delete the file: then the next download is trusted anew.",
        ) from error
