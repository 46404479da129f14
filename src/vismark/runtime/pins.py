"""Pins: digests of files whose source states none, taken on first use and held to from then on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vismark.problems import refuse
from vismark.runtime.atomic import write_bytes
from vismark.runtime.folders import cache_root
from vismark.runtime.locks import held


class Pin(msgspec.Struct, frozen=True):
    """What a file was when it was first fetched: its size and ``sha256:…``."""

    bytes: int
    digest: str


def pinned(url: str) -> Pin | None:
    """The pin of an address, or None.

    Raises:
        vismark.problems.Refused: the file of pins is broken.
    """
    return _read(_home()).get(url)


def pin(url: str, made: Pin) -> Pin:
    """Pin an address unless another process was faster; returns what is pinned now."""
    home = _home()
    with held(home):
        pins = _read(home)
        if url not in pins:
            pins[url] = made
            write_bytes(home, msgspec.json.format(msgspec.json.encode(pins, order="sorted"), indent=1) + b"\n")
        return pins[url]


def _home() -> Path:
    return cache_root() / "pins.json"


def _read(home: Path) -> dict[str, Pin]:
    try:
        return msgspec.json.decode(home.read_bytes(), type=dict[str, Pin])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise refuse(
            "PINS_BROKEN",
            f"the record of files without an official digest cannot be read: {error}",
            file=home.name,
            fix="Mend it, or delete it: then the next download is trusted anew.",
        ) from error
